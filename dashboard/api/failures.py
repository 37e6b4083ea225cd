"""Errors: groups of failures, listed, looked at and decided about (features.md AP-16)."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from math import ceil
from typing import Annotated, Any, NotRequired

from django.db.models import Q, QuerySet
from django.utils import timezone
from pydantic import AwareDatetime, Field
from typing_extensions import TypedDict

from dashboard import sight, veiled
from dashboard.api import access, bodies, objects, pagination, queries, shapes
from dashboard.api.answers import Cursors
from dashboard.api.endpoint import ApiRequest, endpoint
from dashboard.api.errors import ApiError
from dashboard.api.schemas import Body, Text
from runs.lifecycle import errorgroups
from runs.models import ErrorGroup, GroupStatus
from runs.reads.errors import GroupFilter

PREFIX = "error_"
ERROR_ID = re.compile(r"error_[0-9a-f]{1,16}", re.ASCII)
TIMES = {"filter[period]", "filter[from]", "filter[to]"}
PAGES = {"page[size]", "page[after]", "page[before]"}
FILTERS = {"filter[taskIdentifier]", "filter[version]", "filter[status]", "filter[search]"}
MINUTES = 60
#: A century.
MOST_MILLISECONDS = 100 * 366 * 86_400_000

ErrorId = Annotated[str, Field(pattern=r"^error_[0-9a-f]{16}$")]


class Resolve(Body):
    """In which version it is mended; failures of versions it was seen in before do not reopen it."""

    resolved_in_version: Text = ""
    reason: Text = ""


class Ignore(Body):
    """Until when: `duration` in milliseconds, or more failures per minute, measured over an hour, or
    in all from now on than these; whatever comes first.
    """

    duration: Annotated[int, Field(ge=1, le=MOST_MILLISECONDS)] | None = None
    occurrence_rate: Annotated[float, Field(gt=0, le=errorgroups.MOST / MINUTES)] | None = None
    total_occurrences: Annotated[int, Field(ge=1, le=errorgroups.MOST)] | None = None
    reason: Text = ""


class ErrorObject(TypedDict):
    """A group of failures of a task that are cases of one error. `count` is of failed attempts."""

    id: ErrorId
    fingerprint: str
    taskIdentifier: str
    errorType: str
    errorMessage: str
    count: int
    failedRunCount: int
    firstSeen: AwareDatetime
    lastSeen: AwareDatetime
    status: GroupStatus
    lastRunId: str
    place: NotRequired[str]
    firstVersion: NotRequired[str]
    lastVersion: NotRequired[str]
    assignee: NotRequired[str]
    reason: NotRequired[str]
    changedBy: NotRequired[str]
    resolvedAt: NotRequired[AwareDatetime]
    resolvedInVersion: NotRequired[str]
    ignoredAt: NotRequired[AwareDatetime]
    ignoredUntil: NotRequired[AwareDatetime]
    ignoredUntilOccurrenceRate: NotRequired[float]
    ignoredUntilTotalOccurrences: NotRequired[int]


class ErrorPage(TypedDict):
    """A page of errors, those that failed last first."""

    data: list[ErrorObject]
    pagination: Cursors


@endpoint("GET", tasks=access.by_handler, query=shapes.ErrorFilters, answers=ErrorPage)
def index(request: ApiRequest) -> dict[str, Any]:
    """A page of errors, those that failed last first; without a time, of the last seven days."""
    asked = queries.values(request.GET, FILTERS | TIMES | PAGES)
    page = pagination.page(asked, ERROR_ID)
    groups = _mine(request, _filter(asked).groups())
    return _paged(groups, page, asked.get("filter[search]", ""))


@endpoint("GET", tasks=access.by_handler, answers={200: ErrorObject, 404: "No error has this id."})
def retrieve(request: ApiRequest, error_id: str) -> dict[str, Any]:
    """One error."""
    return _told(_found(request, error_id))


@endpoint("POST", tasks=access.by_handler, body=Resolve, answers=ErrorObject)
def resolve(request: ApiRequest, error_id: str) -> dict[str, Any]:
    """It is mended: it comes back with its next failure."""
    asked = Resolve.read(bodies.values(request))
    return _decide(
        request,
        error_id,
        lambda key: errorgroups.resolve(
            key, actor=request.actor, version=asked.resolved_in_version, reason=asked.reason
        ),
    )


@endpoint("POST", tasks=access.by_handler, body=Ignore, answers=ErrorObject)
def ignore(request: ApiRequest, error_id: str) -> dict[str, Any]:
    """Leave it alone until one of the conditions is met; without any, until somebody reopens it."""
    asked = Ignore.read(bodies.values(request))
    rate = asked.occurrence_rate
    until = timedelta(milliseconds=asked.duration) if asked.duration else None
    return _decide(
        request,
        error_id,
        lambda key: errorgroups.ignore(
            key,
            actor=request.actor,
            until=timezone.now() + until if until else None,
            rate=None if rate is None else max(1, ceil(rate * MINUTES)),
            count=asked.total_occurrences,
            reason=asked.reason,
        ),
    )


@endpoint("POST", tasks=access.by_handler, answers=ErrorObject)
def unresolve(request: ApiRequest, error_id: str) -> dict[str, Any]:
    """It is open again."""
    return _decide(request, error_id, lambda key: errorgroups.reopen(key, actor=request.actor))


def _decide(
    request: ApiRequest, error_id: str, change: Callable[[str], ErrorGroup]
) -> dict[str, Any]:
    return _told(change(_found(request, error_id).pk))


def _mine(request: ApiRequest, groups: QuerySet[ErrorGroup]) -> QuerySet[ErrorGroup]:
    """Of the tasks the key is for."""
    tasks = request.caller.tasks
    return groups.filter(task_id__in=tasks) if tasks else groups


def _found(request: ApiRequest, error_id: str) -> ErrorGroup:
    """Raises a 404, and a 403 for an error of a task the key is not for."""
    key = error_id.removeprefix(PREFIX)
    group = ErrorGroup.objects.filter(pk=key).first() if "\x00" not in key else None
    if group is None:
        raise ApiError(404, f"There is no error {error_id[:60]!r}.", retry=False)
    if request.caller.tasks:
        request.caller.require_tasks(group.task_id)
    return group


def _filter(asked: dict[str, str]) -> GroupFilter:
    status = asked.get("filter[status]", "")
    if status and status not in GroupStatus.values:
        known = ", ".join(GroupStatus.values)
        raise ApiError(400, f"filter[status] is one of {known}; got {status[:40]!r}.")
    start, end = _window(asked)
    return GroupFilter(
        status=status,
        task=asked.get("filter[taskIdentifier]", ""),
        version=asked.get("filter[version]", ""),
        text=asked.get("filter[search]", ""),
        messages=not sight.is_hidden(),
        start=start,
        end=end,
    )


def _window(asked: dict[str, str]) -> tuple[datetime | None, datetime | None]:
    """As lists of runs read theirs."""
    times = {name: value for name, value in asked.items() if name in TIMES}
    named = {f"filter[createdAt]{name.removeprefix('filter')}": times[name] for name in times}
    return queries.window(named, timezone.now() - queries.WINDOW)


def _paged(groups: QuerySet[ErrorGroup], asked: pagination.Page, search: str) -> dict[str, Any]:
    """A cursor is the id of the error at the page's edge."""
    edge = asked.after or asked.before
    if edge:
        groups = groups.filter(_beyond(edge, newer=bool(asked.before)))
    order = ("last_at", "fingerprint") if asked.before else ("-last_at", "-fingerprint")
    found = list(groups.order_by(*order)[: asked.size + 1])
    shown, edges = pagination.cut(found, asked, lambda group: PREFIX + group.pk)
    return {"data": list(map(_told, veiled.groups(shown, search))), "pagination": edges}


def _beyond(edge: str, *, newer: bool) -> Q:
    """Raises a 400 for the cursor of an error that is not there."""
    group = ErrorGroup.objects.filter(pk=edge.removeprefix(PREFIX)).first()
    if group is None:
        raise ApiError(400, "The cursor is of an error that is not there any more.")
    way = "gt" if newer else "lt"
    same = Q(last_at=group.last_at, **{f"fingerprint__{way}": group.pk})
    return Q(**{f"last_at__{way}": group.last_at}) | same


def _told(group: ErrorGroup) -> dict[str, Any]:
    is_resolved = group.status == GroupStatus.RESOLVED
    is_ignored = group.status == GroupStatus.IGNORED
    changed = objects.time(group.changed_at)
    return {
        "id": PREFIX + group.pk,
        "fingerprint": group.pk,
        "taskIdentifier": group.task_id,
        "errorType": group.name,
        "errorMessage": objects.message({"message": group.message}),
        "count": group.total,
        "failedRunCount": group.ended,
        "firstSeen": objects.time(group.first_at),
        "lastSeen": objects.time(group.last_at),
        "status": group.status,
        "lastRunId": group.last_run_id,
        **objects.present(
            place=group.place or None,
            firstVersion=group.first_version or None,
            lastVersion=group.last_version or None,
            assignee=group.assignee or None,
            reason=group.reason or None,
            changedBy=group.changed_by or None,
            resolvedAt=changed if is_resolved else None,
            resolvedInVersion=group.resolved_in or None,
            ignoredAt=changed if is_ignored else None,
            ignoredUntil=objects.time(group.ignored_until),
            ignoredUntilOccurrenceRate=group.ignored_rate and group.ignored_rate / MINUTES,
            ignoredUntilTotalOccurrences=group.ignored_total,
        ),
    }
