"""`trackside schedules …`."""

import click

from trackside.shell import asking
from trackside.shell.asking import shown
from trackside.shell.showing import Columns, Shown

COLUMNS: Columns = {
    "SCHEDULE": lambda one: one.id,
    "TASK": lambda one: one.task,
    "CRON": lambda one: one.generator.expression,
    "ZONE": lambda one: one.timezone,
    "ACTIVE": lambda one: one.active,
    "NEXT": lambda one: one.next_run,
    "KEY": lambda one: one.deduplication_key,
}
FACTS: Columns = {
    **{name.lower(): fact for name, fact in COLUMNS.items()},
    "type": lambda one: one.type,
    "external id": lambda one: one.external_id,
}
ids = click.argument("ids", metavar="SCHEDULE...", nargs=-1, required=True)
zone = click.option("--timezone", metavar="ZONE", help="UTC by default.")
external = click.option("--external-id", metavar="ID", help="Your own name for it.")


@click.group()
def schedules() -> None:
    """What runs by the clock."""


@schedules.command("list")
@asking.limit
@shown
def every(shown: Shown, limit: int) -> None:
    """All schedules."""
    shown.many(shown.client.schedules.list(limit=limit), COLUMNS)


@schedules.command()
@click.argument("schedule")
@shown
def show(shown: Shown, schedule: str) -> None:
    """One schedule."""
    shown.one(shown.client.schedules.retrieve(schedule), FACTS)


schedules.add_command(show, "get")


@schedules.command()
@click.argument("task")
@click.argument("cron")
@click.option("--key", required=True, help="Makes one schedule of many creates.")
@zone
@external
@shown
def create(
    shown: Shown, task: str, cron: str, key: str, timezone: str | None, external_id: str | None
) -> None:
    """Make a schedule, or change the one with this key."""
    made = shown.client.schedules.create(
        task, cron, deduplication_key=key, timezone=timezone, external_id=external_id
    )
    shown.one(made, FACTS)


@schedules.command()
@click.argument("schedule")
@click.argument("task")
@click.argument("cron")
@zone
@external
@shown
def update(
    shown: Shown, schedule: str, task: str, cron: str, timezone: str | None, external_id: str | None
) -> None:
    """Change a schedule."""
    made = shown.client.schedules.update(
        schedule, task=task, cron=cron, timezone=timezone, external_id=external_id
    )
    shown.one(made, FACTS)


@schedules.command()
@ids
@shown
def activate(shown: Shown, ids: tuple[str, ...]) -> None:
    """Let them fire again."""
    for one in ids:
        shown.client.schedules.activate(one)
        shown.said(f"{one} active", id=one)


@schedules.command()
@ids
@click.option("--reason", metavar="TEXT", help="Shown while they are off.")
@shown
def deactivate(shown: Shown, ids: tuple[str, ...], reason: str | None) -> None:
    """Let them fire no more."""
    for one in ids:
        shown.client.schedules.deactivate(one, reason=reason)
        shown.said(f"{one} inactive", id=one)


@schedules.command()
@ids
@shown
def delete(shown: Shown, ids: tuple[str, ...]) -> None:
    """Remove them; their runs stay."""
    for one in ids:
        shown.client.schedules.delete(one)
        shown.said(f"{one} deleted", id=one)
