"""`trackside tokens …`: what runs wait for."""

import click

from trackside.shell import asking
from trackside.shell.asking import document, shown
from trackside.shell.showing import Columns, Shown

COLUMNS: Columns = {
    "TOKEN": lambda one: one.id,
    "STATUS": lambda one: one.status,
    "CREATED": lambda one: one.created_at,
    "TIMES OUT": lambda one: one.timeout_at,
    "TAGS": lambda one: " ".join(one.tags),
}
FACTS: Columns = {
    **{name.lower(): fact for name, fact in COLUMNS.items()},
    "completed": lambda one: one.completed_at,
    "idempotency key": lambda one: one.idempotency_key,
    "output": lambda one: one.output,
}


@click.group()
def tokens() -> None:
    """Wait tokens: make, complete, look at them."""


@tokens.command()
@click.option("--timeout", metavar="DURATION|DATE", help="When it times out.")
@click.option("--tag", "tags", multiple=True, help="May be repeated.")
@click.option("--idempotency-key", metavar="KEY", help="One token for all creates with it.")
@shown
def create(
    shown: Shown, timeout: str | None, tags: tuple[str, ...], idempotency_key: str | None
) -> None:
    """Make a token, and print its id."""
    made = shown.client.tokens.create(
        timeout=timeout, tags=tags or None, idempotency_key=idempotency_key
    )
    shown.said(made.id, id=made.id, isCached=made.is_cached, url=made.url)


@tokens.command()
@click.argument("token")
@click.argument("data", required=False, metavar="[JSON]")
@shown
def complete(shown: Shown, token: str, data: str | None) -> None:
    """Complete it: the run that waits gets the data."""
    shown.client.tokens.complete(token, None if data is None else document(data, "The data"))
    shown.said(f"{token} completed", id=token)


@tokens.command()
@click.argument("token")
@click.argument("message")
@shown
def fail(shown: Shown, token: str, message: str) -> None:
    """End it with an error: the run that waits gets the message."""
    shown.client.tokens.fail(token, message)
    shown.said(f"{token} failed", id=token)


@tokens.command()
@click.argument("token")
@shown
def show(shown: Shown, token: str) -> None:
    """One token with what completed it."""
    shown.one(shown.client.tokens.retrieve(token), FACTS)


tokens.add_command(show, "get")


@tokens.command("list")
@click.option("--status", multiple=True, help="WAITING, COMPLETED, TIMED_OUT; may be repeated.")
@click.option("--tag", "tags", multiple=True)
@asking.limit
@shown
def every(shown: Shown, status: tuple[str, ...], tags: tuple[str, ...], limit: int) -> None:
    """Newest tokens first."""
    words = [word.upper() for word in status] or None
    shown.many(shown.client.tokens.list(status=words, tags=tags or None, limit=limit), COLUMNS)
