"""Cancel or replay many runs at once, in the background (features.md section 25)."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from django.utils import timezone
from pydantic import BeforeValidator, Field

from dashboard.api import (
    access,
    answers,
    bodies,
    objects,
    pagination,
    queries,
    schemas,
    shapes,
    telling,
)
from dashboard.api.endpoint import ApiRequest, endpoint, methods
from dashboard.api.errors import ApiError
from dashboard.api.schemas import Body, Text, listed
from runs import durations, lifecycle
from runs.errors import NotFound
from runs.lifecycle import bulk
from runs.lifecycle.bulkoptions import BulkOptions
from runs.models import BulkAction, BulkKind, BulkStatus
from runs.reads import demands, grammar
from runs.reads.runfilter import RunFilter

#: Those the wire format has words for.
KINDS = (BulkKind.CANCEL, BulkKind.REPLAY)
BULK_ID = re.compile(r"bulk_[0-9a-z]{1,34}", re.ASCII)
Texts = Annotated[list[Text], BeforeValidator(listed), Field(max_length=queries.MOST_VALUES)]
Moment = int | float | Text


def _one_listed(value: object) -> object:
    return value if isinstance(value, list) else [value]


class QueueOf(Body):
    """A queue as `runs.list` names it."""

    type: Literal["task", "custom"]
    name: Text


class Chosen(Body):
    """The filters of a list of runs, by their flat names."""

    status: Texts = []
    task_identifier: Texts = []
    version: Texts = []
    tag: Texts = []
    machine: Texts = []
    region: Texts = []
    schedule: Text = ""
    batch: Text = ""
    bulk_action: Text = ""
    queue: Annotated[list[QueueOf], BeforeValidator(_one_listed), Field(max_length=100)] = []
    is_test: bool | None = None
    from_: Moment | None = Field(None, alias="from")
    to: Moment | None = None
    period: Text = ""
    #: In the language of the dashboard's search.
    query: Text = ""


class NewBulkAction(Body):
    """Which runs, by exactly one of `filter` and `run_ids`, and what to do with them."""

    action: Literal["cancel", "replay"]
    filter: dict[str, Any] | None = None
    run_ids: Annotated[list[Text], Field(max_length=bulk.MOST_RUNS)] | None = None
    name: Text = ""
    #: Which of the runs come first, of those that were triggered.
    order: Literal["oldest", "newest"] = "oldest"
    #: Runs touched in a minute at most, or the time over which all of them are touched evenly.
    per_minute: int | float = 0
    spread: int | float | Text = 0
    #: So many replays have to succeed before the others are made.
    canary: int = 0
    #: Of clients of the reference; there is one region.
    target_region: Text | None = None


@endpoint("POST", status=202, tasks=access.by_handler, body=NewBulkAction, answers=answers.Id)
def _create(request: ApiRequest) -> dict[str, Any]:
    """Begin one; clusters do the work."""
    asked = NewBulkAction.read(bodies.values(request, required=True))
    if (asked.filter is None) == (asked.run_ids is None):
        raise ApiError(400, "Say which runs, by exactly one of filter and runIds.")
    chosen = asked.run_ids if asked.filter is None else _filter(Chosen.read(asked.filter, "filter"))
    _restrict(request, asked)
    made = lifecycle.begin_bulk(
        BulkKind(asked.action.upper()),
        chosen or [],
        name=asked.name,
        options=BulkOptions(
            newest_first=asked.order == "newest",
            per_minute=asked.per_minute,
            spread=durations.seconds(asked.spread, "spread"),
            canary=asked.canary,
        ),
        actor=request.actor,
        request_key=request.headers.get("x-trigger-request-idempotency-key", ""),
    )
    return {"id": made.pk}


def _restrict(request: ApiRequest, asked: NewBulkAction) -> None:
    """A key of some tasks names them, or runs of them."""
    if asked.run_ids is not None:
        access.require_runs(request.caller, asked.run_ids)
    else:
        request.caller.require_tasks(*Chosen.read(asked.filter or {}, "filter").task_identifier)


@endpoint("GET", query=shapes.Paging, answers=telling.BulkActionPage)
def _index(request: ApiRequest) -> dict[str, Any]:
    """A page of them, newest first."""
    asked = queries.values(request.GET, {"page[size]", "page[after]", "page[before]"})
    page = pagination.page(asked, BULK_ID)
    return pagination.paged(BulkAction.objects.filter(kind__in=KINDS), page, _told)


collection = methods(GET=_index, POST=_create)


@endpoint("GET", answers=telling.BulkAction)
def retrieve(request: ApiRequest, action_id: str) -> dict[str, Any]:
    """One, with how far it is."""
    return _told(_known(action_id))


def _known(action_id: str) -> BulkAction:
    """Raises NotFound, also for what the wire format has no word for."""
    row = bulk.found(_shaped(action_id))
    if row.kind not in KINDS:
        raise NotFound(f"{row.pk} is a bulk action of pages only.")
    return row


@endpoint("POST", answers=answers.Id)
def abort(request: ApiRequest, action_id: str) -> dict[str, Any]:
    """Touch no more runs; one that has ended stays as it is."""
    return {"id": lifecycle.abort_bulk(_shaped(action_id), actor=request.actor).pk}


def _shaped(action_id: str) -> str:
    if BULK_ID.fullmatch(action_id) is None:
        form = "a bulk action's id is bulk_ and letters and digits"
        raise ApiError(404, f"Not found: {form}.", retry=False)
    return action_id


def _told(row: BulkAction) -> dict[str, Any]:
    return {
        "id": row.pk,
        "type": row.kind,
        "status": BulkStatus.PENDING if row.status == BulkStatus.PAUSED else row.status,
        "counts": {"total": row.total, "success": row.success, "failure": row.failure},
        "createdAt": objects.time(row.created_at),
        **objects.present(
            name=row.name or None,
            completedAt=objects.time(row.completed_at),
            problem=row.problem or None,
        ),
    }


def _filter(asked: Chosen) -> RunFilter:
    """What the names of a list say. Raises a 400, also where nothing narrows it."""
    if not any(_says(value) for value in asked.model_dump().values()):
        raise ApiError(400, "filter: give at least one; all runs are never meant.")
    if asked.region:
        raise ApiError(400, "filter.region: there is one region, leave it out.")
    for name in ("status", "machine"):
        queries.check_words(f"filter[{name}]", getattr(asked, name))
    start, end = _window(asked)
    terms = queries.search(asked.query)
    after, before = demands.window(terms, timezone.now())
    return RunFilter(
        status=tuple(asked.status),
        task=tuple(asked.task_identifier),
        version=tuple(asked.version),
        tag=tuple(asked.tag),
        machine=tuple(asked.machine),
        schedule=asked.schedule,
        batch=asked.batch,
        bulk=(asked.bulk_action,) if asked.bulk_action else (),
        queue=tuple(f"task/{one.name}" if one.type == "task" else one.name for one in asked.queue),
        test=asked.is_test,
        query=grammar.write(terms),
        start=max(start, after) if after else start,
        end=min(filter(None, (end, before)), default=None),
    )


def _says(value: object) -> bool:
    return bool(value.strip()) if isinstance(value, str) else value not in (None, [])


def _window(asked: Chosen) -> tuple[datetime, datetime | None]:
    """A period counts from now; without any time it is that of a list."""
    starts = [_moment(asked.from_, "from")] if asked.from_ is not None else []
    if asked.period:
        starts.append(_read("period", lambda: queries.ago(asked.period)))
    end = None if asked.to is None else _moment(asked.to, "to")
    if not starts and end is None:
        starts.append(timezone.now() - queries.WINDOW)
    return max(starts, default=datetime(1970, 1, 1, tzinfo=UTC)), end


def _moment(value: float | str, name: str) -> datetime:
    """Milliseconds since 1970, or an ISO 8601 date."""
    if isinstance(value, str):
        return schemas.moment(value, name)
    return _read(name, lambda: datetime.fromtimestamp(value / 1000, UTC))


def _read(name: str, moment: Callable[[], datetime]) -> datetime:
    try:
        return moment()
    except (ValueError, OverflowError, OSError) as error:
        raise ApiError(400, f"filter.{name} is no time there is.") from error
