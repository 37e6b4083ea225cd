"""Runs as rows of the reference's database, which is what its clients subscribe to."""

import json
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from dashboard import sight
from dashboard.api.auth import MASKED
from dashboard.sight import Sight
from runs.models import Run
from runs.reads import streams
from runs.states import FINAL, RunStatus

#: Any other word reads as QUEUED.
STATUSES = {
    RunStatus.QUEUED: "PENDING",
    RunStatus.WAITING: "WAITING_TO_RESUME",
    RunStatus.COMPLETED: "COMPLETED_SUCCESSFULLY",
    RunStatus.FAILED: "COMPLETED_WITH_ERRORS",
}
RETRYING = "RETRYING_AFTER_FAILURE"
#: A client cannot read a row without these.
KEPT = {"id", "friendlyId", "taskIdentifier", "status", "createdAt", "updatedAt"}
#: Rows read at once; each may hold megabytes.
CHUNK = 20
#: Columns of the table a skipped column saves reading.
HEAVY = {"payload": "payload", "output": "output", "metadata": "metadata", "error": "error"}


def messages(ids: Sequence[str], skipped: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    """Id and message of each of these runs that exists, as JSON, in their order."""
    unread = ["seed_metadata", *(column for name, column in HEAVY.items() if name in skipped)]
    for start in range(0, len(ids), CHUNK):
        some = ids[start : start + CHUNK]
        found = Run.objects.defer(*unread).in_bulk(some)
        given = streams.keys(found)
        for one in some:
            if one in found:
                with sight.using(Sight.REDACTED if MASKED in skipped else Sight.STORED):
                    message = _message(found[one], skipped, given.get(one))
                yield one, message


def _message(run: Run, skipped: Collection[str], given: list[str] | None) -> str:
    value = row(run, skipped)
    if given and "realtimeStreams" not in skipped:
        value["realtimeStreams"] = given
    return json.dumps(
        {
            "key": f'"public"."TaskRun"/"{run.pk}"',
            "value": value,
            "headers": {"operation": "insert"},
        }
    )


def row(run: Run, skipped: Collection[str] = ()) -> dict[str, Any]:
    """The columns of a run but the skipped ones; what is not set is not there."""
    shown = set(skipped) - KEPT
    columns = {
        "id": run.pk,
        "friendlyId": run.pk,
        "taskIdentifier": run.task_id,
        "status": _status(run),
        **_times(run),
        "idempotencyKey": run.idempotency_key,
        "isTest": run.is_test,
        "usageDurationMs": run.usage_ms,
        "costInCents": 0,
        "baseCostInCents": 0,
        "ttl": None if run.ttl is None else f"{run.ttl:.15g}s",
        "runTags": run.tag_list,
        **_documents(run, skipped),
    }
    return {
        name: value for name, value in columns.items() if value is not None and name not in shown
    }


def _status(run: Run) -> str:
    return RETRYING if run.is_retrying else STATUSES.get(RunStatus(run.status), run.status)


def _times(run: Run) -> dict[str, str | None]:
    expired = run.finished_at if run.status == RunStatus.EXPIRED else None
    return {
        "createdAt": _time(run.created_at),
        "updatedAt": _time(run.updated_at),
        "startedAt": _time(run.started_at),
        "delayUntil": _time(run.delay_until),
        "queuedAt": _time(run.queued_at),
        "expiredAt": _time(expired),
        "completedAt": _time(run.finished_at),
    }


def _documents(run: Run, skipped: Collection[str]) -> dict[str, Any]:
    """Stored JSON, as text with its type. A column that was not read must not be looked at."""
    columns: dict[str, Any] = {}
    for name in {"payload", "output", "metadata"} - set(skipped):
        text = getattr(run, name)
        if text is not None and (name != "output" or run.status == RunStatus.COMPLETED):
            text = sight.document(text, name)
            columns |= {name: text, f"{name}Type": "application/json"}
    if "error" not in skipped:
        columns["error"] = _error(run)
    return columns


def _error(run: Run) -> dict[str, str] | None:
    if run.status not in FINAL or run.status == RunStatus.COMPLETED:
        return None
    if not run.error:
        return {"type": "STRING_ERROR", "raw": run.reason} if run.reason else None
    stored = json.loads(run.error)
    return {
        "type": "BUILT_IN_ERROR",
        "name": str(stored.get("name") or "Error"),
        "message": sight.text(str(stored.get("message") or "")),
        "stackTrace": sight.text(str(stored.get("stack_trace") or "")),
    }


def _time(moment: datetime | None) -> str | None:
    """Without a zone: the client adds one itself."""
    if moment is None:
        return None
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
