"""Batches: retrieve, and how their runs ended."""

import re
from collections.abc import Iterator
from typing import Any

from django.http import StreamingHttpResponse

from dashboard.api import access, answers, objects, results
from dashboard.api.endpoint import ApiRequest, endpoint
from dashboard.api.errors import ApiError
from runs.errors import NotFound
from runs.models import Batch
from runs.models.batch import Problem
from runs.reads import batches

BATCH_ID = re.compile(r"batch_[0-9a-z]{1,34}", re.ASCII)
ENDED = {batches.COMPLETED, batches.PARTIAL_FAILED, batches.ABORTED}


@endpoint("GET", public=access.read_batch, answers=answers.Batch, tasks=access.tasks_of_batch)
def retrieve(request: ApiRequest, batch_id: str) -> dict[str, Any]:
    """One batch with the ids of its runs, and the items that could not become one."""
    batch = found_batch(batch_id)
    found = batches.described(batch)
    over = found["updated_at"] if found["status"] in ENDED else None
    return {
        "id": found["id"],
        "status": found["status"],
        "createdAt": objects.time(found["created_at"]),
        "updatedAt": objects.time(found["updated_at"]),
        "runCount": found["run_count"],
        "runs": found["runs"],
        "successfulRunCount": found["successful_run_count"],
        "failedRunCount": found["failed_run_count"],
        "processing": {
            "errors": list(map(_problem, batch.problem_list)),
            **objects.present(completedAt=objects.time(over)),
        },
        **objects.present(idempotencyKey=found["idempotency_key"]),
    }


@endpoint("GET", answers=answers.BatchResults, tasks=access.tasks_of_batch)
def ended(request: ApiRequest, batch_id: str) -> StreamingHttpResponse:
    """How the runs of a batch ended that have, in the order of its items."""
    ids = batches.run_ids(found_batch(batch_id))
    return StreamingHttpResponse(_items(batch_id, ids), content_type="application/json")


def _items(batch_id: str, ids: list[str]) -> Iterator[str]:
    """The answer in parts: all outputs of a batch may be more than there is memory."""
    yield f'{{"id":{objects.encode(batch_id)},"items":['
    for number, run in enumerate(batches.ended(ids)):
        yield ("," if number else "") + objects.encode(results.told(run))
    yield "]}"


def found_batch(batch_id: str) -> Batch:
    """Raises a 404."""
    if BATCH_ID.fullmatch(batch_id) is None:
        form = "a batch's id is batch_ and letters and digits"
        raise ApiError(404, f"Not found: {form}.", retry=False)
    try:
        return batches.find(batch_id)
    except NotFound as error:
        # it may stand in a transaction that has not committed yet
        raise ApiError(404, str(error), retry=True) from None


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "index": problem.place,
        "taskIdentifier": problem.task_id,
        "error": objects.message({"message": problem.message}),
        "errorCode": problem.code,
    }
