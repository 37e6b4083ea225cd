"""Batches over HTTP: open one, then send its items as lines of JSON (features.md BA-2)."""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any

from django.http import HttpRequest
from pydantic import Field

from dashboard.api import access, answers, bodies, grants, packets, schemas, shapes, tasks
from dashboard.api.batches import found_batch
from dashboard.api.endpoint import ApiRequest, endpoint
from dashboard.api.errors import ApiError
from dashboard.api.schemas import Body, KeyOptions, Text
from dashboard.bodylimit import body_limit, limit_of
from dashboard.openapi.operations import Media
from dashboard.packetstore import StorageFailed
from runs import durations, payloads
from runs.errors import InvalidOption, InvalidPayload, NotFound, RunsError
from runs.lifecycle import TriggerItem, batchstream, onetime
from runs.lifecycle.batchstream import Added, Asked, Offered
from runs.lifecycle.options import IDEMPOTENCY_TTL
from runs.limits import UNSTORABLE
from runs.models import Batch, Role, Source

LINES = {"application/x-ndjson", "application/ndjson", "application/jsonl"}
MEMBERS = {"index", "task", "payload", "options"}
#: Items and characters that are made into runs in one transaction.
TOGETHER, MOST_TEXT = 250, 8_000_000


class NewBatch(Body):
    """What a batch is opened with."""

    run_count: int
    task_identifiers: list[Text] = []
    idempotency_key: Annotated[Text, Field(min_length=1, max_length=2048)] | None = None
    idempotency_key_ttl: str | None = Field(None, alias="idempotencyKeyTTL")
    idempotency_key_options: KeyOptions | None = None
    parent_run_id: Text | None = None
    #: Ignored: a parent waits by its own code.
    resume_parent_on_completion: bool = False


@endpoint(
    "POST",
    status=202,
    public=access.by_handler,
    body=NewBatch,
    answers=answers.OpenedBatch,
    role=Role.TRIGGER,
    tasks=access.by_handler,
)
def create(request: ApiRequest) -> dict[str, Any]:
    """Open a batch, or find the one its key made."""
    body = bodies.read(request, required=True)
    asked = NewBatch.read({name: member.value for name, member in body.items()})
    access.open_batch(request, asked.task_identifiers)
    access.require_runs(request.caller, [asked.parent_run_id] if asked.parent_run_id else [])
    batch, is_cached = onetime.open_batch(request.caller.token, lambda: _opened(request, asked))
    request.caller.require_tasks(*batch.task_list)
    grants.for_batch(request, batch.pk)
    answer = {"id": batch.pk, "runCount": batch.run_count, "isCached": is_cached}
    return answer | ({"idempotencyKey": asked.idempotency_key} if asked.idempotency_key else {})


def _opened(request: ApiRequest, asked: NewBatch) -> tuple[str, tuple[Batch, bool]]:
    ttl = asked.idempotency_key_ttl
    batch, is_cached = batchstream.open_batch(
        Asked(
            asked.run_count,
            asked.task_identifiers,
            key=_key(asked),
            key_ttl=IDEMPOTENCY_TTL if ttl is None else durations.seconds(ttl, "idempotencyKeyTTL"),
            request_key=request.headers.get("x-trigger-request-idempotency-key", ""),
            parent_id=asked.parent_run_id,
        ),
        source=Source.API,
        actor=request.actor,
    )
    return batch.pk, (batch, is_cached)


def _key(asked: NewBatch) -> str | None:
    key = asked.idempotency_key
    return None if key is None else schemas.readable_key(key, asked.idempotency_key_options)


@endpoint(
    "POST",
    public=access.send_items,
    body=Media("application/x-ndjson", shapes.Item),
    answers=answers.AddedItems,
    role=Role.TRIGGER,
    tasks=access.tasks_of_batch,
)
def items(request: ApiRequest, batch_id: str) -> dict[str, Any]:
    """Make runs of the items, one on each line; those that were there already are only counted."""
    _check_type(request)
    found_batch_or_422(batch_id)
    lines = _lines(request, limit_of(request.path))
    accepted = deduplicated = 0
    while True:
        part = list(_part(lines, request))
        access.offer_items(request, batch_id, (one.task_id for one in part))
        try:
            added = batchstream.add(batch_id, part, source=Source.API, actor=request.actor)
        except InvalidOption as error:
            raise ApiError(422, str(error)) from error
        accepted, deduplicated = accepted + added.accepted, deduplicated + added.deduplicated
        if not part or added.is_sealed:
            return _answer(batch_id, accepted, deduplicated, added)


def found_batch_or_422(batch_id: str) -> None:
    """A batch that is not there is a 422 here: nothing is retried that waits for it to appear."""
    try:
        found_batch(batch_id)
    except (ApiError, NotFound) as error:
        raise ApiError(422, f"{error} Open it by POST /api/v3/batches.") from error


def _answer(batch_id: str, accepted: int, deduplicated: int, added: Added) -> dict[str, Any]:
    answer = {
        "id": batch_id,
        "itemsAccepted": accepted,
        "itemsDeduplicated": deduplicated,
        "sealed": added.is_sealed,
    }
    if not added.is_sealed:
        answer |= {"enqueuedCount": added.arrived, "expectedCount": added.expected}
    return answer


def _check_type(request: HttpRequest) -> None:
    if request.content_type not in LINES:
        raise ApiError(415, "Send the items as content-type: application/x-ndjson, one a line.")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise ApiError(415, "Send the items without content-encoding.")


def _lines(request: HttpRequest, limit: int) -> Iterator[tuple[int, bytes]]:
    """Number and text of the lines that are not empty. Raises a 413."""
    bodies.check_length(request, limit)
    size, longest = 0, body_limit()
    for number in range(1, limit):
        line = request.readline(longest + 1)
        size += len(line)
        if not line:
            return
        if len(line) > longest:
            raise ApiError(413, f"Line {number}: an item has at most {longest:,} bytes.")
        if size > limit:
            raise ApiError(413, f"The items of one request have at most {limit:,} bytes.")
        if line.strip():
            yield number, line


def _part(lines: Iterator[tuple[int, bytes]], request: HttpRequest) -> Iterator[Offered]:
    """The next items, as many as are made together."""
    size = 0
    for number, line in islice(lines, TOGETHER):
        offered = _offered(number, line, request)
        yield offered
        # a payload may have been uploaded before, and the line only names it
        size += max(len(line), len((offered.item and offered.item.payload) or ""))
        if size > MOST_TEXT:
            return


def _offered(number: int, line: bytes, request: HttpRequest) -> Offered:
    """An item. Raises a 400 for a line that is none; what is wrong with its run is the item's own."""
    try:
        text = payloads.clean(line, limit=body_limit(), depth=payloads.MAX_DEPTH + 2)
        members = bodies.members(text, "An item")
    except InvalidPayload as error:
        raise ApiError(400, f"Line {number}: {error}") from error
    index, task_id = _place(number, members)
    try:
        tasks.check_members(members, MEMBERS)
        given = tasks.given_options(members)
        payload = packets.text(members.get("payload"), given.get("payloadType"))
        options = tasks.traced(schemas.options(given, "options"), request)
    except ApiError as error:
        return Offered(index, task_id, problem=str(error))
    except StorageFailed:
        raise  # sent again it may be there
    except RunsError as error:
        return batchstream.problem_of(index, task_id, error)
    return Offered(index, task_id, TriggerItem(task_id=task_id, payload=payload, options=options))


def _place(number: int, members: dict[str, bodies.Member]) -> tuple[int, str]:
    index = members["index"].value if "index" in members else None
    task_id = members["task"].value if "task" in members else None
    if isinstance(index, bool) or not isinstance(index, int):
        raise ApiError(400, f"Line {number}: index must be a whole number from 0.")
    if not isinstance(task_id, str) or not task_id or UNSTORABLE.search(task_id):
        raise ApiError(400, f"Line {number}: task must be the id of a task.")
    return index, task_id
