"""The Context tab: what the body receives beside its payload."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.http import HttpRequest

from dashboard.pages import documents
from runs import conf, tracing
from runs.machines import PRESETS
from runs.models import Run, Task
from runs.reads import attempts

#: A name as code says it, and the value as JSON.
Line = tuple[str, str]


def context(run: Run, request: HttpRequest) -> dict[str, Any]:
    """What the tab's template shows."""
    seed = Run.objects.values_list("seed_metadata", flat=True).get(pk=run.pk)
    row = Run.objects.light().defer("error").get(pk=run.pk)
    return {
        "groups": [(name, list(lines)) for name, lines in _groups(row)],
        "seed": documents.show(seed, "metadata") if seed is not None else None,
    }


def _groups(run: Run) -> Iterator[tuple[str, Iterator[Line]]]:
    yield "The run", _said("ctx.run", _run(run))
    yield "The attempt", _said("ctx.attempt", _attempt(run))
    task = Task.objects.filter(pk=run.task_id).values_list("file_path", flat=True).first()
    yield "The task", _said("ctx.task", {"id": run.task_id, "file_path": task})
    yield "Where it runs", _where(run)


def _run(run: Run) -> dict[str, Any]:
    return {
        "id": run.pk,
        "tags": run.tag_list,
        "is_test": run.is_test,
        "is_replay": run.replayed_from_id is not None,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "idempotency_key": run.idempotency_key,
        "idempotency_key_scope": run.idempotency_scope or None,
        "max_attempts": run.max_attempts,
        "max_duration": run.max_duration,
        "version": run.version,
        "priority": run.priority,
        "concurrency_key": run.concurrency_key,
        "parent_task_run_id": run.parent_id,
        "root_task_run_id": run.root_id,
        "replayed_from_id": run.replayed_from_id,
    }


def _attempt(run: Run) -> dict[str, Any]:
    """Of the newest."""
    found = attempts.of(run)
    number, started_at = (found[-1].number, found[-1].started_at) if found else (None, None)
    if number is None:
        return {"number": None, "started_at": None}
    place = tracing.context_of(run.pk, run.traceparent, run.tracestate)
    inside = tracing.TraceContext(
        place.trace_id, tracing.attempt_span_id(run.pk, number), place.flags
    )
    return {"number": number, "started_at": started_at, "traceparent": inside.header}


def _where(run: Run) -> Iterator[Line]:
    environment, machine = conf.get("ENVIRONMENT"), PRESETS.get(run.machine)
    yield from _said("ctx.queue", {"name": run.queue})
    yield from _said("ctx.environment", {"name": environment["name"], "type": environment["kind"]})
    size = {"cpu": machine.cpu, "memory": machine.memory} if machine else {}
    yield from _said("ctx.machine", {"name": run.machine} | size)
    if run.batch_id is not None:
        yield from _said("ctx.batch", {"id": run.batch_id})


def _said(name: str, facts: dict[str, Any]) -> Iterator[Line]:
    for key, value in facts.items():
        yield f"{name}.{key}", json.dumps(value, default=_moment, ensure_ascii=False)


def _moment(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
