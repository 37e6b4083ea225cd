"""`trackside trigger` and `trackside runs …`."""

import json
from pathlib import Path
from typing import Any, cast

import click

from trackside.calls.tasks import NOTHING, Options
from trackside.errors import RunFailed
from trackside.models import Run
from trackside.shell import asking
from trackside.shell.asking import shown
from trackside.shell.showing import Columns, Shown

COLUMNS: Columns = {
    "RUN": lambda run: run.id,
    "STATUS": lambda run: run.status,
    "TASK": lambda run: run.task_identifier,
    "CREATED": lambda run: run.created_at,
    "TOOK": lambda run: f"{run.duration_ms / 1000:.3g} s" if run.started_at else "",
    "TAGS": lambda run: " ".join(run.tags),
}
FACTS: Columns = {
    "run": lambda run: run.id,
    "task": lambda run: run.task_identifier,
    "status": lambda run: run.status,
    "created": lambda run: run.created_at,
    "started": lambda run: run.started_at,
    "ended": lambda run: run.finished_at,
    "delayed until": lambda run: run.delayed_until,
    "version": lambda run: run.version,
    "attempts": lambda run: run.attempt_count or None,
    "tags": lambda run: " ".join(run.tags),
    "idempotency key": lambda run: run.idempotency_key,
    "metadata": lambda run: run.metadata,
    "payload": lambda run: json.dumps(run.payload) if "payload" in run.model_fields_set else None,
    "output": lambda run: json.dumps(run.output) if "output" in run.model_fields_set else None,
    "error": lambda run: run.error.message if run.error else None,
}
wait = click.option("--wait", is_flag=True, help="Wait until it has ended, and print it.")
wait_limit = click.option("--wait-timeout", type=float, metavar="SECONDS", help="Wait no longer.")


@click.command()
@click.argument("task")
@asking.payload
@asking.options
@click.option("--lock-to-version", metavar="VERSION")
@click.option("--test", is_flag=True, default=None, help="Mark it as a test.")
@wait
@wait_limit
@shown
def trigger(  # one for each argument
    shown: Shown,
    /,
    task: str,
    words: str | None,
    said: str | None,
    file: Path | None,
    wait: bool,
    wait_timeout: float | None,
    **options: Any,
) -> None:
    """Make a run of TASK, and print its id.

    \b
    trackside trigger send-email --payload '{"to": "ann@example.com"}' --wait
    echo '[1, 2]' | trackside trigger sum -
    """
    given = cast(Options, asking.chosen(options))
    made = shown.client.tasks.trigger(task, asking.payload_of(words, said, file), **given)
    if made.is_skipped:
        click.echo("No run was made: this one of the task is still open.", err=True)
    elif made.is_cached:
        click.echo("The idempotency key belongs to an earlier run:", err=True)
    _answered(shown, made.id, wait, wait_timeout)


@click.group()
def runs() -> None:
    """List, show, trigger, cancel and change runs."""


runs.add_command(trigger)


@runs.command("list")
@click.option("--status", multiple=True, help="May be repeated: any of them matches.")
@click.option("--task", multiple=True)
@click.option("--tag", multiple=True)
@click.option("--queue", multiple=True, help="task/<id> for a task's own.")
@click.option(
    "--since", "period", metavar="DURATION", help="No older than, like 1d; 7 days by default."
)
@asking.limit
@shown
def every(
    shown: Shown,
    limit: int,
    period: str | None,
    status: tuple[str, ...],
    task: tuple[str, ...],
    tag: tuple[str, ...],
    queue: tuple[str, ...],
) -> None:
    """Newest runs first."""
    found = shown.client.runs.list(
        limit=limit,
        period=period,
        status=[word.upper() for word in status] or None,
        task=task or None,
        tag=tag or None,
        queue=queue or None,
    )
    shown.many(found, COLUMNS)


@runs.command()
@click.argument("run")
@wait
@wait_limit
@shown
def show(shown: Shown, run: str, wait: bool, wait_timeout: float | None) -> None:
    """One run with payload, output and error."""
    found = _ended(shown, run, wait_timeout) if wait else shown.client.runs.retrieve(run)
    shown.one(found, FACTS)
    _judged(found, wait)


runs.add_command(show, "get")


@runs.command()
@click.argument("ids", metavar="RUN...", nargs=-1, required=True)
@click.option("--keep-children", is_flag=True, help="Let its children go on.")
@asking.reason
@shown
def cancel(shown: Shown, ids: tuple[str, ...], keep_children: bool, reason: str | None) -> None:
    """Stop runs; finished ones stay as they are."""
    for one in ids:
        shown.client.runs.cancel(one, reason=reason, keep_children=keep_children)
        shown.said(f"{one} canceled", id=one)


@runs.command()
@click.argument("run")
@asking.payload
@asking.options
@click.option("--lock-to-version", "version", metavar="VERSION")
@wait
@wait_limit
@shown
def replay(  # one for each argument
    shown: Shown,
    /,
    run: str,
    words: str | None,
    said: str | None,
    file: Path | None,
    wait: bool,
    wait_timeout: float | None,
    **options: Any,
) -> None:
    """Run it again: as it was, or with changes."""
    changes, payload = asking.chosen(options), asking.payload_of(words, said, file)
    if payload is not NOTHING:
        changes["payload"] = payload
    _answered(shown, shown.client.runs.replay(run, **changes).id, wait, wait_timeout)


@runs.command()
@click.argument("run")
@click.argument("delay")
@shown
def reschedule(shown: Shown, run: str, delay: str) -> None:
    """Let a delayed run start after DELAY, or at that ISO 8601 date."""
    shown.one(shown.client.runs.reschedule(run, delay), FACTS)


@runs.command()
@click.argument("run")
@click.argument("tags", nargs=-1, required=True)
@shown
def tag(shown: Shown, run: str, tags: tuple[str, ...]) -> None:
    """Add tags to a run."""
    shown.client.runs.add_tags(run, tags)
    shown.said(f"{run} tagged", id=run)


@runs.command()
@click.argument("run")
@click.option("--payload", "is_payload", is_flag=True, help="What it was given instead.")
@shown
def output(shown: Shown, run: str, is_payload: bool) -> None:
    """Print what it returned as JSON, however large."""
    calls = shown.client.runs
    found = calls.payload(run) if is_payload else calls.output(run)
    click.echo(json.dumps(found))


@runs.command()
@click.argument("run")
@shown
def follow(shown: Shown, run: str) -> None:
    """Print its status whenever it changes, until it has ended."""
    status = ""
    for one in shown.client.runs.subscribe(run, skip=["payload", "output"]):
        if one.status != status or shown.as_json:
            status = one.status
            shown.said(f"{one.updated_at.astimezone():%H:%M:%S}  {status}", id=run, status=status)
    _judged(shown.client.runs.retrieve(run), True)


@click.command("forget-key")
@click.argument("task")
@click.argument("key")
@shown
def forget_key(shown: Shown, task: str, key: str) -> None:
    """Free an idempotency key: the next trigger with it makes a run."""
    shown.client.idempotency_keys.reset(task, key)
    shown.said("forgotten", task=task, key=key)


runs.add_command(forget_key)


def _answered(shown: Shown, run_id: str, wait: bool, timeout: float | None) -> None:
    if not wait:
        shown.said(run_id, id=run_id)
        return
    click.echo(f"Waiting for {run_id} …", err=True)
    run = _ended(shown, run_id, timeout)
    shown.one(run, FACTS)
    _judged(run, True)


def _ended(shown: Shown, run_id: str, timeout: float | None) -> Run:
    return shown.client.runs.poll(run_id, timeout=timeout)


def _judged(run: Run, is_judged: bool) -> None:
    if is_judged and not run.is_success:
        raise RunFailed(run)
