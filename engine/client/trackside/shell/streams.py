"""`trackside streams …`: what runs give out while they execute, and what they are sent."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import click

from trackside.calls.tasks import NOTHING
from trackside.models import Chunk
from trackside.shell import asking
from trackside.shell.asking import document, shown
from trackside.shell.showing import Shown, text

run = click.argument("run")
key = click.argument("key")
target = click.option(
    "--target",
    type=click.Choice(["self", "parent", "root"]),
    default="self",
    show_default=True,
    help="Whose stream: the run's own, its parent's, its root's.",
)


@click.group()
def streams() -> None:
    """Streams of runs: read, write, send messages."""


@streams.command("list")
@run
@shown
def every(shown: Shown, run: str) -> None:
    """The keys of what the run has given out."""
    for name in shown.client.streams.keys(run):
        shown.said(name, key=name)


@streams.command()
@run
@key
@click.option("--after", metavar="ID", help="Begin behind this chunk (its id or its number).")
@click.option("--latest", is_flag=True, help="Only what comes from now on.")
@click.option("--input", "is_input", is_flag=True, help="What was sent to the run's input KEY.")
@click.option(
    "--quiet", type=float, default=60.0, show_default=True, help="End after so many seconds of it."
)
@shown
def read(
    shown: Shown, run: str, key: str, after: str | None, latest: bool, is_input: bool, quiet: float
) -> None:
    """Print a stream as it comes, until the run has ended.

    Text is printed as it is, one chunk behind the other; other values one a line.
    """
    words: dict[str, Any] = {"after": after, "latest": latest, "timeout": quiet}
    if is_input:
        for message in shown.client.streams.messages(run, key, **words):
            click.echo(json.dumps(message))
        return
    for chunk in shown.client.streams.chunks(run, key, **words):
        _print(shown, chunk)


@streams.command()
@run
@key
@asking.payload
@target
@shown
def append(
    shown: Shown, /, run: str, key: str, target: Any, words: str | None, said: Any, file: Any
) -> None:
    """Append one value, JSON: as an argument, by --payload, or by --file."""
    chunk = asking.payload_of(words, said, file)
    if chunk is NOTHING:
        raise click.UsageError("Say what to append.")
    shown.client.streams.append(run, key, chunk, target=target)
    shown.said("appended", run=run, key=key)


@streams.command()
@run
@key
@click.argument("file", type=click.File("rb"), default="-")
@target
@click.option("--text", "is_text", is_flag=True, help="Lines are text, not JSON.")
@shown
def write(shown: Shown, run: str, key: str, file: Any, target: Any, is_text: bool) -> None:
    """Append each line of FILE (stdin without) as it comes."""
    count = shown.client.streams.write(run, key, _values(file, is_text), target=target)
    shown.said(f"{count} appended", run=run, key=key, count=count)


@streams.command()
@run
@key
@click.argument("data", required=False, metavar="[JSON]")
@shown
def send(shown: Shown, run: str, key: str, data: str | None) -> None:
    """Send a message to the run's input KEY."""
    value = None if data is None else document(data, "The message")
    shown.client.streams.send(run, key, value)
    shown.said("sent", run=run, key=key)


def _print(shown: Shown, chunk: Chunk) -> None:
    if shown.as_json:
        shown.document(chunk)
    elif isinstance(chunk.value, str):
        # line ends are part of what a stream of words looks like
        lines = chunk.value.split("\n")
        click.echo("\n".join(text(line, None) for line in lines), nl=False)
    else:
        click.echo(text(json.dumps(chunk.value), None))


def _values(lines: Iterable[bytes], is_text: bool) -> Iterator[Any]:
    for number, line in enumerate(lines, 1):
        if is_text:
            yield line.decode(errors="replace")
        elif line.strip():
            yield document(line.decode(errors="replace"), f"Line {number}")
