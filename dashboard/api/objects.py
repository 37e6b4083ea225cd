"""Runs as the reference's clients read them: unset fields are left out, never null."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest

from dashboard import sight
from dashboard.api import links
from dashboard.sight import Sight
from runs import conf
from runs.models import Run, Schedule
from runs.states import FINAL, LEASED, PENDING, RunStatus

#: Children listed with a run; a list filtered by parent has them all.
CHILDREN = 100
#: Characters of a payload or output up to which it stands in its run; a larger one has an address.
INLINE = 512 * 1024


#: One encoder: `json.dumps` makes a new one for each value that is not encoded as it would itself.
_json = json.JSONEncoder(allow_nan=False).encode
#: Last in the address of a value whose reader gets it masked.
MASKED = "redacted"


@dataclass(frozen=True, slots=True)
class Raw:
    """Stored JSON text, sent as it is: no number, key order or escape changes on the way."""

    text: str


def encode(value: object) -> str:
    """JSON of plain values and Raw text."""
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, dict):
        return "{" + ",".join(f"{_json(key)}:{encode(v)}" for key, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(encode, value)) + "]"
    return _json(value)


def listed(run: Run) -> dict[str, Any]:
    """A run as an item of a list."""
    environment = conf.get("ENVIRONMENT")
    kind, name = environment.get("kind", "dev"), environment.get("name", "")
    return {**_common(run), "env": {"id": f"env_{kind}", "name": name}}


def retrieved(run: Run, request: HttpRequest) -> dict[str, Any]:
    """A run with payload, output, error and relations."""
    succeeded = run.status == RunStatus.COMPLETED
    return {
        **_related(run),
        "relatedRuns": _relations(run, request),
        "attemptCount": run.attempts_begun,
        **present(batchId=run.batch_id, error=_error(run), schedule=_schedule(run)),
        **_value(run, "payload", request),
        **(_value(run, "output", request) if succeeded else {}),
    }


def address(request: HttpRequest, run: Run, field: str) -> str:
    """Where the payload or output of a run can be downloaded for a while."""
    masked = "" if sight.current() is Sight.STORED else f"/{MASKED}"
    return links.signed(request, links.GET, f"{run.pk}/{field}{masked}")


def _value(run: Run, field: str, request: HttpRequest) -> dict[str, Any]:
    text = getattr(run, field)
    if sight.is_hidden():
        return {}
    if text is not None and len(text) > INLINE:
        return {f"{field}PresignedUrl": address(request, run, field)}
    return {} if text is None else {field: Raw(sight.document(text, field))}


def _schedule(run: Run) -> dict[str, Any] | None:
    """The schedule that made it, while there is one."""
    found = Schedule.objects.filter(pk=run.schedule_id).first() if run.schedule_id else None
    if found is None:
        return None
    return {
        "id": found.pk,
        "generator": {"type": "CRON", "expression": found.cron, "description": found.sentence},
        **present(externalId=found.external_id, deduplicationKey=found.deduplication_key),
    }


def _common(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "status": run.status,
        "taskIdentifier": run.task_id,
        **_booleans(run.status),
        "isTest": run.is_test,
        "createdAt": time(run.created_at),
        "updatedAt": time(run.updated_at),
        "tags": run.tag_list,
        "costInCents": 0,
        "baseCostInCents": 0,
        "durationMs": run.usage_ms,
        **_optional(run),
    }


def _optional(run: Run) -> dict[str, Any]:
    expired = run.status == RunStatus.EXPIRED
    return present(
        idempotencyKey=run.idempotency_key,
        version=run.version or None,
        startedAt=time(run.started_at),
        finishedAt=time(run.finished_at),
        delayedUntil=time(run.delay_until),
        ttl=None if run.ttl is None else f"{run.ttl:.15g}s",
        expiredAt=time(run.finished_at) if expired else None,
        metadata=shown(run.metadata, "metadata"),
        queue={"name": run.queue},
        concurrencyKey=run.concurrency_key,
    )


def _booleans(status: str) -> dict[str, bool]:
    # unlike the reference, EXPIRED and TIMED_OUT are completed: its poll() never ends on them
    final, succeeded = status in FINAL, status == RunStatus.COMPLETED
    return {
        "isQueued": status in PENDING,
        "isExecuting": status in LEASED,
        "isWaiting": status == RunStatus.WAITING,
        "isCompleted": final,
        "isSuccess": succeeded,
        "isFailed": final and not succeeded,
        "isCancelled": status == RunStatus.CANCELED,
    }


def _related(run: Run) -> dict[str, Any]:
    function = "trigger" if run.batch_id is None else "batchTrigger"
    function += "AndWait" if run.awaited else ""
    return {**_common(run), "depth": run.depth, "triggerFunction": function}


def _relations(run: Run, request: HttpRequest) -> dict[str, Any]:
    """Those that the caller may see."""
    wanted = {run.root_id, run.parent_id} - {None}
    shown = Run.objects.all()
    if tasks := request.caller.tasks:  # type: ignore[attr-defined]
        shown = shown.filter(task_id__in=tasks)
    relatives: dict[Any, Any] = {
        found.id: _related(found) for found in _light(shown.filter(id__in=wanted))
    }
    children = _light(shown.filter(parent_id=run.id).order_by("id")[:CHILDREN])
    return present(
        root=relatives.get(run.root_id),
        parent=relatives.get(run.parent_id),
        children=[_related(child) for child in children] or None,
    )


def _light(runs: Any) -> Iterable[Run]:
    found: Iterable[Run] = runs.defer("payload", "output", "seed_metadata")
    return found


def _error(run: Run) -> dict[str, Any] | None:
    if run.status not in FINAL or run.status == RunStatus.COMPLETED:
        return None
    if not run.error:
        return {"message": run.reason} if run.reason else None
    stored = json.loads(run.error)
    return present(
        message=message(stored),
        name=stored.get("name") or None,
        stackTrace=sight.text(stored.get("stack_trace") or "") or None,
        causes=[_cause(cause) for cause in stored.get("causes") or ()] or None,
    )


def _cause(told: dict[str, Any]) -> dict[str, Any]:
    return {"message": message(told), **present(name=told.get("name") or None)}


def present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def message(stored: dict[str, Any]) -> str:
    """Of an error, as the caller may read it."""
    text = str(stored.get("message") or "")
    return sight.HIDDEN_FROM_KEY if text and sight.is_hidden() else sight.text(text)


def shown(text: str | None, source: str) -> Raw | None:
    """A stored document, as the caller may read it."""
    return None if text is None or sight.is_hidden() else Raw(sight.document(text, source))


def time(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
