"""`trackside batch …`."""

import json
from typing import Any, cast

import click

from trackside.calls.tasks import NOTHING, BatchItem, Options
from trackside.shell.asking import shown
from trackside.shell.showing import Columns, Shown

RESULTS: Columns = {
    "RUN": lambda one: one.id,
    "TASK": lambda one: one.task_identifier,
    "DONE": lambda one: one.ok,
    "OUTPUT OR ERROR": lambda one: one.output if one.ok else (one.error or {}).get("message"),
}


@click.group()
def batch() -> None:
    """Make many runs at once, and look at them."""


@batch.command("trigger")
@click.argument("file", type=click.File("rb"))
@click.option("--task", help="For lines that name none.")
@click.option("--idempotency-key", metavar="KEY", help="One batch for all triggers with it.")
@shown
def trigger_batch(shown: Shown, file: Any, task: str | None, idempotency_key: str | None) -> None:
    """Make a run of each line of FILE (- reads stdin).

    A line is a JSON object {"task"?, "payload"?, "options"?}, options in the names of the API.
    """
    items = [_item(number, line, task) for number, line in enumerate(file, 1) if line.strip()]
    if not items:
        raise click.UsageError("There is no line in it.")
    made = shown.client.batches.trigger(items, idempotency_key=idempotency_key)
    shown.said(made.id, id=made.id, runCount=made.run_count, isCached=made.is_cached)


@batch.command("show")
@click.argument("batch")
@shown
def show_batch(shown: Shown, batch: str) -> None:
    """How a batch stands."""
    facts: Columns = {
        "batch": lambda one: one.id,
        "status": lambda one: one.status,
        "runs": lambda one: one.run_count,
        "successful": lambda one: one.successful_run_count,
        "failed": lambda one: one.failed_run_count,
        "created": lambda one: one.created_at,
        "not triggered": lambda one: "; ".join(
            f"{p.index}: {p.error}" for p in one.processing.errors
        ),
    }
    shown.one(shown.client.batches.retrieve(batch), facts)


@batch.command()
@click.argument("batch")
@shown
def results(shown: Shown, batch: str) -> None:
    """How those runs of a batch ended that have, in the order of its items."""
    shown.many(shown.client.batches.results(batch), RESULTS)


def _item(number: int, line: bytes, task: str | None) -> BatchItem:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise click.UsageError(f"Line {number} is not JSON: {error}.") from error
    if not isinstance(found, dict) or not (found.get("task") or task):
        raise click.UsageError(f"Line {number} is no object with a task; or say --task.")
    options = cast(Options, found.get("options") or {})
    return BatchItem(str(found.get("task") or task), found.get("payload", NOTHING), options)
