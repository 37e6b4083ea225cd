"""Runs as text and as JSON lines."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from runs.management.terminal import line, plain
from runs.models import Attempt, LogLine, Run
from runs.reads import attempts
from runs.reads.exporting import as_json as as_json
from runs.reads.gates import gates

LEVELS = {10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL"}
#: Characters of a payload or output that are shown; `--json` has all of it.
SHOWN = 2000


def row(run: Run, now: datetime) -> str:
    """One line of a list."""
    age = _span((now - run.created_at).total_seconds())
    took = _span(run.duration.total_seconds()) if run.duration is not None else ""
    task, queue = line(run.task_id, 32), line(run.queue, 28)
    return f"{run.id}  {run.get_status_display():15}  {task:32}  {queue:28}  {age:>6} ago  {took}"


def details(run: Run) -> Iterator[str]:
    """The lines of `show`."""
    yield f"{run.id}  {run.get_status_display()}" + (" (canceling)" if run.is_canceling else "")
    yield from (f"  {name:12} {line(value, 200)}" for name, value in _facts(run) if value)
    for attempt in attempts.of(run):
        took = _took(attempt)
        yield f"  attempt {attempt.number}    {attempt.get_status_display()}{took}"
    for name in ("payload", "output", "metadata"):
        if text := getattr(run, name):
            yield f"  {name:12} {_cut(plain(text))}"
    if run.error:
        error = json.loads(run.error)
        yield f"  error        {line(error.get('name'), 100)}: {line(error.get('message'), 500)}"
        yield plain(error.get("stack_trace") or "")


def log(entry: LogLine) -> str:
    """One line of a run's log."""
    level = LEVELS.get(entry.level, str(entry.level))
    return f"{entry.at:%H:%M:%S}  {level:8} {plain(entry.message)}"


def _facts(run: Run) -> list[tuple[str, Any]]:
    return [
        ("why", run.reason),
        ("not yet", _shut(run)),
        ("task", run.task_id),
        ("queue", run.queue),
        ("key", run.concurrency_key),
        ("tags", ", ".join(run.tag_list)),
        ("triggered", f"{_time(run.created_at)} by {run.actor or run.source}"),
        ("delayed until", _time(run.delay_until)),
        ("started", _time(run.started_at)),
        ("finished", _time(run.finished_at)),
        ("version", run.version + (" (asked for)" if run.version_asked else "")),
        ("attempts", f"{run.attempts_begun} of {run.max_attempts}"),
        ("executed", _span(run.usage_ms / 1000) if run.usage_ms else ""),
        ("replay of", run.replayed_from_id),
        ("parent", run.parent_id),
    ]


def _shut(run: Run) -> str:
    """What keeps it from starting."""
    shut = [
        gate for gate in gates(run, timezone.now()) if not gate.open and gate.sentence != run.reason
    ]
    return " ".join(f"{one.sentence} {_time(one.until)}".strip() for one in shut)


def _time(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _took(attempt: Attempt) -> str:
    if attempt.finished_at is None:
        return ""
    return f" in {_span((attempt.finished_at - attempt.started_at).total_seconds())}"


def _cut(text: str) -> str:
    more = len(text) - SHOWN
    return f"{text[:SHOWN]}… ({more:,} more characters; --json shows all)" if more > 0 else text


def _span(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.1f}s"
