"""`trackside bulk …`: many runs at once, in the background."""

from typing import Any

import click

from trackside.shell import asking
from trackside.shell.asking import shown
from trackside.shell.showing import Columns, Shown

COLUMNS: Columns = {
    "ACTION": lambda one: one.id,
    "DOES": lambda one: one.type,
    "STATUS": lambda one: one.status,
    "RUNS": lambda one: one.counts.get("total"),
    "DONE": lambda one: one.counts.get("success"),
    "FAILED": lambda one: one.counts.get("failure"),
    "NAME": lambda one: one.name,
}
FACTS: Columns = {name.lower(): fact for name, fact in COLUMNS.items()}


@click.group()
def bulk() -> None:
    """Cancel or replay many runs in the background."""


@bulk.command()
@click.argument("action", type=click.Choice(["cancel", "replay"]))
@click.argument("ids", metavar="[RUN...]", nargs=-1)
@click.option("--status", multiple=True, help="May be repeated, as the next three.")
@click.option("--task", "task_identifier", multiple=True)
@click.option("--tag", multiple=True)
@click.option("--version", multiple=True)
@click.option("--since", "period", metavar="DURATION", help="No older than; 7 days by default.")
@click.option("--name", help="What it is called.")
@click.option("--newest-first", "newest", is_flag=True, help="The oldest come first else.")
@click.option("--per-minute", type=float, metavar="RUNS", help="As fast as it goes else.")
@click.option("--spread", metavar="DURATION", help="Evenly over this time, such as 2h.")
@click.option("--canary", type=int, metavar="RUNS", help="Replays that have to succeed first.")
@shown
def start(
    shown: Shown,
    /,
    action: Any,
    ids: tuple[str, ...],
    name: str | None,
    newest: bool,
    per_minute: float | None,
    spread: str | None,
    canary: int | None,
    **filters: Any,
) -> None:
    """Cancel or replay these runs, or all that a filter finds; print the action's id."""
    chosen = asking.chosen(filters)
    if bool(ids) == bool(chosen):
        raise click.UsageError("Name runs, or say which by --status, --task, --tag and the like.")
    wire = {"taskIdentifier" if key == "task_identifier" else key: chosen[key] for key in chosen}
    wire |= {"status": [word.upper() for word in wire["status"]]} if "status" in wire else {}
    made = shown.client.bulk_actions.create(
        action,
        run_ids=list(ids) or None,
        filter=wire or None,
        name=name,
        order="newest" if newest else None,
        per_minute=per_minute,
        spread=spread,
        canary=canary,
    )
    shown.said(made, id=made)


@bulk.command()
@click.argument("action")
@shown
def show(shown: Shown, action: str) -> None:
    """How far one is."""
    shown.one(shown.client.bulk_actions.retrieve(action), FACTS)


@bulk.command("list")
@asking.limit
@shown
def every(shown: Shown, limit: int) -> None:
    """Newest first."""
    shown.many(shown.client.bulk_actions.list(limit=limit), COLUMNS)


@bulk.command()
@click.argument("ids", metavar="ACTION...", nargs=-1, required=True)
@shown
def abort(shown: Shown, ids: tuple[str, ...]) -> None:
    """Touch no more runs; those that were touched stay as they are."""
    for one in ids:
        shown.client.bulk_actions.abort(one)
        shown.said(f"{one} aborted", id=one)
