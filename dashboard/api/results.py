"""How runs ended, as clients of the reference read it: serialized, and errors by their kind."""

import json
from typing import Any

from dashboard import sight
from dashboard.api import access, answers, objects, runs
from dashboard.api.endpoint import ApiRequest, endpoint
from dashboard.api.errors import ApiError
from runs.models import Run
from runs.states import RunStatus


@endpoint("GET", answers=answers.Result, tasks=access.task_of_run)
def retrieve(request: ApiRequest, run_id: str) -> dict[str, Any]:
    """How a run ended; a 404 until it has."""
    run = runs.found(run_id)
    if run.finished_at is None:
        raise ApiError(404, f"Run {run_id} has not ended, it is {run.status}.", retry=False)
    return told(run)


def told(run: Run) -> dict[str, Any]:
    """Of a run that has ended."""
    if run.status == RunStatus.COMPLETED:
        return {
            "ok": True,
            "id": run.pk,
            "taskIdentifier": run.task_id,
            **output(run),
            "outputType": "application/json",
        }
    return {"ok": False, "id": run.pk, "taskIdentifier": run.task_id, "error": _error(run)}


def output(run: Run) -> dict[str, str]:
    """Text of JSON, where the caller may read it."""
    if run.output is None or sight.is_hidden():
        return {}
    return {"output": sight.document(run.output, "output")}


def _error(run: Run) -> dict[str, Any]:
    stored = json.loads(run.error) if run.error else {}
    if not stored:
        return {"type": "STRING_ERROR", "raw": run.reason or f"The run is {run.status}."}
    return {
        "type": "BUILT_IN_ERROR",
        "name": str(stored.get("name") or "Error"),
        "message": objects.message(stored) or run.reason or "",
        "stackTrace": sight.text(str(stored.get("stack_trace") or "")),
    }
