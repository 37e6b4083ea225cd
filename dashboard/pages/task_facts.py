"""A task's definition as a list of facts, and runs as short lines."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dashboard import presenters
from dashboard.presenters import Look, duration_text
from runs.models import Run, Task


@dataclass(frozen=True, slots=True)
class Line:
    """A run in a short table."""

    run: Run
    look: Look
    took: timedelta | None
    waited: timedelta | None


def lines(runs: Sequence[Run], now: datetime) -> list[Line]:
    return [
        Line(
            run,
            presenters.look(run),
            presenters.run_time(run, now),
            presenters.queue_time(run, now),
        )
        for run in runs
    ]


def facts(task: Task) -> list[tuple[str, str]]:
    """(word, value) of all that the definition says."""
    return [(word, value) for word, value in _facts(task) if value]


def _facts(task: Task) -> Iterator[tuple[str, str]]:
    yield "Retries", _retries(task)
    yield "Maximum duration", duration_text(task.max_duration) if task.max_duration else ""
    yield "Time to live", duration_text(task.ttl) if task.ttl else ""
    yield "Machine", task.machine
    yield "Priority", f"{task.priority:g} s ahead" if task.priority else ""
    yield "Tags", ", ".join(_list(task.tags))
    yield (
        "Executes",
        "beside others in one event loop" if task.is_async else "in a process of its own",
    )
    yield "Overlap", str(_config(task).get("overlap") or "")
    yield "Key facts", ", ".join(_config(task).get("key_facts") or ())
    yield "Webhook", task.webhook_path
    yield "File", task.file_path
    yield "Version", task.version


def _retries(task: Task) -> str:
    """Such as "3 tries; 1 s to 1 m apart, factor 2"."""
    if task.max_attempts == 1:
        return "None: one try"
    policy = _config(task).get("retry")
    if not isinstance(policy, dict):
        return f"{task.max_attempts} tries"
    least, most = policy.get("min_timeout", 1), policy.get("max_timeout", 60)
    factor = policy.get("factor", 2)
    apart = f"{duration_text(least)} to {duration_text(most)} apart"
    return f"{task.max_attempts} tries; {apart}, factor {factor:g}"


def _config(task: Task) -> dict[str, Any]:
    found = json.loads(task.config or "{}")
    return found if isinstance(found, dict) else {}


def _list(text: str) -> list[str]:
    found = json.loads(text or "[]")
    return [str(one) for one in found] if isinstance(found, list) else []
