"""`trackside runs edit`, `purge`, `unlock` and `metadata`, `trackside tasks` and `trackside apikey`."""

from pathlib import Path
from typing import Any

import click

from trackside.shell import asking
from trackside.shell.asking import document, shown
from trackside.shell.runs import FACTS, runs
from trackside.shell.showing import Columns, Shown

TASKS: Columns = {
    "TASK": lambda one: one.id,
    "STATE": lambda one: _state(one),
    "QUEUE": lambda one: one.queue,
    "VERSION": lambda one: one.version,
    "DESCRIPTION": lambda one: one.description,
}
KEYS: Columns = {
    "KEY": lambda one: one.name,
    "BEGINS": lambda one: one.prefix,
    "ROLE": lambda one: one.role,
    "ACTIVE": lambda one: one.is_active,
    "EXPIRES": lambda one: one.expires_at,
    "LAST USED": lambda one: one.last_used_at,
    "TASKS": lambda one: " ".join(one.tasks),
}


@runs.command()
@click.argument("run")
@asking.payload
@click.option("--priority", type=float, metavar="SECONDS", help="Head start.")
@click.option("--queue", metavar="NAME")
@click.option("--delay", metavar="DURATION|DATE", help="0 for at once.")
@asking.reason
@shown
def edit(
    shown: Shown,
    /,
    run: str,
    words: str | None,
    said: str | None,
    file: Path | None,
    **changes: Any,
) -> None:
    """Change a run that was never started."""
    changes["delay"] = 0 if changes["delay"] == "0" else changes["delay"]
    payload = asking.payload_of(words, said, file)
    shown.one(shown.client.runs.edit(run, payload, **asking.chosen(changes)), FACTS)


@runs.command()
@click.option("--queue", multiple=True, help="May be repeated, as the next three.")
@click.option("--task", multiple=True)
@click.option("--tag", multiple=True)
@click.option("--key", multiple=True, help="Concurrency key.")
@click.option("--status", multiple=True, help="queued, delayed or pending_version.")
@click.option("--older-than", metavar="DURATION", help="Triggered before that, like 1h.")
@click.option("--yes", is_flag=True, help="Do it; else they are only counted.")
@asking.reason
@shown
def purge(shown: Shown, /, yes: bool, reason: str | None, **selection: Any) -> None:
    """Cancel what was never started."""
    chosen = asking.chosen(selection)
    if yes:
        count = shown.client.runs.purge(**chosen, reason=reason)
        shown.said(f"{count} runs canceled", count=count)
        return
    found = shown.client.runs.purgeable(**chosen)
    more = " or more" if found.is_more else ""
    shown.said(
        f"{found.count}{more} runs would be canceled. Say --yes to do it.",
        count=found.count,
        isMore=found.is_more,
    )


@runs.command()
@click.argument("ids", metavar="RUN...", nargs=-1, required=True)
@shown
def unlock(shown: Shown, ids: tuple[str, ...]) -> None:
    """Let runs go on with any version of the code."""
    for one in ids:
        run = shown.client.runs.unlock(one)
        shown.said(f"{run.id} {run.status.lower()}", id=run.id, status=run.status)


@runs.command()
@click.argument("run")
@click.option("--set", "whole", metavar="JSON", help="What it is to be instead, an object.")
@shown
def metadata(shown: Shown, run: str, whole: str | None) -> None:
    """Print its metadata, or replace it."""
    if whole is None:
        shown.document(shown.client.runs.metadata(run))
        return
    value = document(whole, "--set")
    if not isinstance(value, dict):
        raise click.UsageError("--set must be a JSON object.")
    shown.document(shown.client.runs.update_metadata(run, value))


@click.group()
def tasks() -> None:
    """The tasks there are."""


@tasks.command("list")
@shown
def every_task(shown: Shown) -> None:
    """The tasks the clusters have registered."""
    shown.many(shown.client.tasks.list(), TASKS)


@tasks.command("pause")
@click.argument("names", metavar="TASK...", nargs=-1, required=True)
@asking.reason
@shown
def pause_tasks(shown: Shown, names: tuple[str, ...], reason: str | None) -> None:
    """Start none of their runs any more, whatever queue they stand in."""
    for one in names:
        shown.client.tasks.pause(one, reason=reason)
        shown.said(f"{one} paused", id=one)


@tasks.command("resume")
@click.argument("names", metavar="TASK...", nargs=-1, required=True)
@shown
def resume_tasks(shown: Shown, names: tuple[str, ...]) -> None:
    """Start their runs again, in their order."""
    for one in names:
        shown.client.tasks.resume(one)
        shown.said(f"{one} resumed", id=one)


def _state(task: Any) -> str:
    if not task.is_active and not task.is_broken:
        return "gone"
    return "paused" if task.paused else "broken" if task.is_broken else "active"


@click.group()
def apikey() -> None:
    """Keys of the API. For keys with the role admin."""


@apikey.command()
@click.argument("name")
@click.option("--role", help="trigger, viewer, operator, variables, or admin, the default.")
@click.option("--task", "tasks", multiple=True, help="For runs of this task alone; repeatable.")
@click.option("--expires", metavar="DURATION", help="End after this time, like 90d.")
@shown
def create(
    shown: Shown, name: str, role: str | None, tasks: tuple[str, ...], expires: str | None
) -> None:
    """Make a key and print it once."""
    made = shown.client.api_keys.create(name, role=role, tasks=tasks or None, expires_in=expires)
    shown.said(made.key, name=made.name, key=made.key)


@apikey.command("list")
@shown
def every_key(shown: Shown) -> None:
    """All keys, without their text."""
    shown.many(shown.client.api_keys.list(), KEYS)


@apikey.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@shown
def revoke(shown: Shown, names: tuple[str, ...]) -> None:
    """Refuse keys from now on."""
    for name in names:
        shown.client.api_keys.revoke(name)
        shown.said(f"Key {name} is revoked.", name=name)
