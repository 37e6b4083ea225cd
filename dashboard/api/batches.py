"""Batches: retrieve."""

import re
from typing import Any

from dashboard.api import objects
from dashboard.api.endpoint import ApiRequest, endpoint
from dashboard.api.errors import ApiError
from runs.errors import NotFound
from runs.reads import batches

BATCH_ID = re.compile(r"batch_[0-9a-z]{1,34}", re.ASCII)


@endpoint("GET")
def retrieve(request: ApiRequest, batch_id: str) -> dict[str, Any]:
    """One batch with the ids of its runs; items are made all or none, so none has an error."""
    if BATCH_ID.fullmatch(batch_id) is None:
        form = "a batch's id is batch_ and letters and digits"
        raise ApiError(404, f"Not found: {form}.", retry=False)
    try:
        found = batches.described(batches.find(batch_id))
    except NotFound as error:
        # it may stand in a transaction that has not committed yet
        raise ApiError(404, str(error), retry=True) from None
    ended = found["updated_at"] if found["status"] == batches.COMPLETED else None
    return {
        "id": found["id"],
        "status": found["status"],
        "createdAt": objects.time(found["created_at"]),
        "updatedAt": objects.time(found["updated_at"]),
        "runCount": found["run_count"],
        "runs": found["runs"],
        "successfulRunCount": found["successful_run_count"],
        "failedRunCount": found["failed_run_count"],
        "processing": {"errors": [], **objects.present(completedAt=objects.time(ended))},
        **objects.present(idempotencyKey=found["idempotency_key"]),
    }
