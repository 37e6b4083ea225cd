"""`trackside queues …`. A queue is named by its id, its name, or `task/<id>` for a task's own."""

from typing import Any

import click

from trackside.calls.queues import Kind
from trackside.shell import asking
from trackside.shell.asking import shown
from trackside.shell.showing import Columns, Shown

OWN = "task/"
COLUMNS: Columns = {
    "QUEUE": lambda one: f"{OWN}{one.name}" if one.type == "task" else one.name,
    "STATE": lambda one: "paused" if one.paused else "open",
    "RUNNING": lambda one: one.running,
    "QUEUED": lambda one: one.queued,
    "LIMIT": lambda one: one.concurrency_limit,
    "OVERRIDDEN": lambda one: one.concurrency.override is not None,
}
FACTS: Columns = {
    **{name.lower(): fact for name, fact in COLUMNS.items()},
    "total limit": lambda one: one.total_limit,
    "rate limit": lambda one: one.rate_limit,
    "id": lambda one: one.id,
}
queue = click.argument("queue")
several = click.argument("names", metavar="QUEUE...", nargs=-1, required=True)
some = click.argument("names", metavar="[QUEUE...]", nargs=-1)
all_of_them = click.option("--all", "is_all", is_flag=True, help="All queues, also later ones.")


def named(word: str) -> tuple[str, Kind | None]:
    """The name and kind of a queue as people write it."""
    if word.startswith(OWN):
        return word.removeprefix(OWN), "task"
    return word, None


@click.group()
def queues() -> None:
    """Queues and their limits."""


@queues.command("list")
@click.option("--limit", type=click.IntRange(1), help="All by default.")
@shown
def every(shown: Shown, limit: int | None) -> None:
    """Queues with what stands in them."""
    shown.many(shown.client.queues.list(limit=limit), COLUMNS)


@queues.command()
@queue
@shown
def show(shown: Shown, queue: str) -> None:
    """One queue."""
    name, kind = named(queue)
    shown.one(shown.client.queues.retrieve(name, kind=kind), FACTS)


queues.add_command(show, "get")


@queues.command()
@some
@all_of_them
@asking.reason
@shown
def pause(shown: Shown, names: tuple[str, ...], is_all: bool, reason: str | None) -> None:
    """Start none of their runs any more."""
    if _all(names, is_all):
        count = shown.client.queues.pause_all(reason=reason)
        shown.said(f"{count} queues paused", count=count)
    for word in names:
        name, kind = named(word)
        shown.client.queues.pause(name, reason=reason, kind=kind)
        shown.said(f"{word} paused", name=word)


@queues.command()
@some
@all_of_them
@shown
def resume(shown: Shown, names: tuple[str, ...], is_all: bool) -> None:
    """Start their runs again."""
    if _all(names, is_all):
        count = shown.client.queues.resume_all()
        shown.said(f"{count} queues resumed", count=count)
    for word in names:
        name, kind = named(word)
        shown.client.queues.resume(name, kind=kind)
        shown.said(f"{word} resumed", name=word)


@queues.command()
@queue
@click.option("--limit", "concurrency_limit", type=int, help="Of each concurrency key.")
@click.option("--total", "total_limit", type=int, help="Of all keys together.")
@click.option("--rate", "rate_limit", metavar="RATE", help="Starts of each key, as in 100/1m.")
@click.option("--until", "expires_at", metavar="DATE", help="Ends by itself then.")
@asking.reason
@shown
def override(shown: Shown, /, queue: str, **limits: Any) -> None:
    """Other limits than those in code."""
    name, kind = named(queue)
    shown.one(shown.client.queues.override(name, kind=kind, **limits), FACTS)


@queues.command()
@several
@asking.reason
@shown
def reset(shown: Shown, names: tuple[str, ...], reason: str | None) -> None:
    """Back to the limits in code."""
    for word in names:
        name, kind = named(word)
        shown.client.queues.reset(name, reason=reason, kind=kind)
        shown.said(f"{word} reset", name=word)


def _all(names: tuple[str, ...], is_all: bool) -> bool:
    if bool(names) == is_all:
        raise click.UsageError("Name the queues, or say --all.")
    return is_all
