"""Arguments several verbs have."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from trackside.calls.tasks import NOTHING
from trackside.shell.showing import Shown

F = TypeVar("F", bound=Callable[..., Any])
shown = click.make_pass_decorator(Shown)

OPTIONS = [
    click.option("--queue", metavar="NAME", help="Queue it waits in."),
    click.option("--key", "concurrency_key", metavar="KEY", help="Concurrency key."),
    click.option("--idempotency-key", metavar="KEY", help="One run for all triggers with it."),
    click.option(
        "--delay", metavar="DURATION|DATE", help="When it starts: 10m, or an ISO 8601 date."
    ),
    click.option("--ttl", metavar="DURATION", help="Expires when not started by then."),
    click.option("--tag", "tags", metavar="TAG", multiple=True, help="May be repeated."),
    click.option("--metadata", metavar="JSON", help="An object."),
    click.option("--priority", type=float, metavar="SECONDS", help="Head start in the queue."),
    click.option("--max-attempts", type=int, metavar="N"),
    click.option("--max-duration", type=float, metavar="SECONDS"),
    click.option("--machine", metavar="PRESET"),
]


def options(function: F) -> F:
    """The options of trigger and replay."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def payload(function: F) -> F:
    """The payload, in one of three ways."""
    function = click.option(
        "--file",
        "file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Read it from a file.",
    )(function)
    function = click.option(
        "--payload", "said", metavar="JSON", help="The payload; - reads stdin."
    )(function)
    return click.argument("words", metavar="[PAYLOAD]", required=False)(function)


def reason(function: F) -> F:
    return click.option("--reason", help="Kept with it and in the audit log.")(function)


def limit(function: F) -> F:
    return click.option("--limit", type=click.IntRange(1), default=20, show_default=True)(function)


def chosen(given: dict[str, Any]) -> dict[str, Any]:
    """Options that were given."""
    found = {name: value for name, value in given.items() if value not in (None, ())}
    if "metadata" in found:
        found["metadata"] = document(found["metadata"], "--metadata")
    return found


def payload_of(words: str | None, said: str | None, file: Path | None) -> Any:
    """The payload that was given, or NOTHING."""
    ways = [one for one in (words, said, file) if one is not None]
    if len(ways) > 1:
        raise click.UsageError("Say the payload once: as an argument, by --payload or by --file.")
    if file is not None:
        try:
            return document(file.read_text(), str(file))
        except (OSError, UnicodeDecodeError) as error:
            raise click.UsageError(f"{file} cannot be read: {error}.") from error
    if not ways:
        return NOTHING
    given = str(ways[0])
    return document(sys.stdin.read() if given == "-" else given, "The payload")


def document(given: str, what: str) -> Any:
    try:
        return json.loads(given)
    except ValueError as error:
        raise click.UsageError(f"{what} is not JSON: {error}.") from error
