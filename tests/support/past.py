"""Runs of another day, as rows: what reads and rollups are asked about."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from runs.models import Run, Source
from runs.reads.windows import floor_id
from runs.states import FINAL, RunStatus

S = RunStatus
numbers = count(1)


def past_run(
    finished: datetime, status: str = S.COMPLETED, *, took: float = 1.0, waited: float = 0.5,
    **facts: Any,
) -> Run:  # fmt: skip
    """A run that ended at `finished` after `took` seconds, and stood `waited` seconds in its queue."""
    started = finished - timedelta(seconds=took)
    made = started - timedelta(seconds=waited)
    task_id = facts.get("task_id", "hello")
    fields: dict[str, Any] = {
        "id": floor_id("run", made)[:-8] + f"{next(numbers):08}",
        "task_id": task_id,
        "queue": f"task/{task_id}",
        "status": status,
        "source": Source.SDK,
        "machine": "small-1x",
        "sort_key": 0,
        "attempt_number": 1,
        "version": "v1",
        "created_at": made,
        "queued_at": made,
        "started_at": started,
        "finished_at": finished if status in FINAL else None,
        "updated_at": finished,
    }
    return Run.objects.create(**(fields | facts))
