"""Which public tokens an endpoint admits: rules for `endpoint(public=...)`. Each raises a 403."""

from collections.abc import Iterable, Sequence

from dashboard.api.auth import BATCH_TRIGGER, READ, TRIGGER, WRITE
from dashboard.api.endpoint import ApiRequest
from runs.errors import TokenUsed
from runs.lifecycle import onetime
from runs.models import Run
from runs.scopes import Resource


def by_handler(request: ApiRequest, **arguments: str) -> None:
    """The handler asks `request.caller.require(...)` itself, once it knows what it is asked for."""


def read_run(request: ApiRequest, run_id: str, **others: str) -> None:
    """By the run's id, its task, any of its tags, or its batch."""
    request.caller.require(READ, *resources_of(run_id))


def read_runs(request: ApiRequest, project: str = "") -> None:
    """All runs, or all runs of tasks: of any, or of each that the list is narrowed to."""
    tasks = [one for one in request.GET.get("filter[taskIdentifier]", "").split(",") if one]
    if tasks and all(request.caller.may(READ, ("tasks", task)) for task in tasks):
        return
    request.caller.require(READ, ("runs", None), ("tasks", None))


def read_all_runs(request: ApiRequest, **arguments: str) -> None:
    """What may belong to any run."""
    request.caller.require(READ, ("runs", None))


def cancel_run(request: ApiRequest, run_id: str) -> None:
    named = [one for one in resources_of(run_id) if one[0] in ("runs", "tasks")]
    request.caller.require(WRITE, *named)


def read_batch(request: ApiRequest, batch_id: str) -> None:
    request.caller.require(READ, ("batch", batch_id), ("runs", None))


def trigger(request: ApiRequest, task_id: str) -> None:
    request.caller.require(TRIGGER, ("tasks", task_id))


def open_batch(request: ApiRequest, tasks: Sequence[str]) -> None:
    """Batches, or each task of it."""
    caller = request.caller
    if not tasks or not all(caller.may(BATCH_TRIGGER, ("tasks", task)) for task in tasks):
        caller.require(BATCH_TRIGGER, ("batch", None), *([] if tasks else [("tasks", None)]))


def send_items(request: ApiRequest, batch_id: str) -> None:
    """A token for one use sends the items of the batch it opened; what they are is looked at then."""
    token = request.caller.token
    if token is None or not token.is_one_time:
        return
    if "\x00" in batch_id or not onetime.has_opened(token, batch_id):
        raise TokenUsed


def offer_items(request: ApiRequest, batch_id: str, tasks: Iterable[str]) -> None:
    """Raises a 403 for an item of a task that the token does not name."""
    if request.caller.is_public:
        for task in set(tasks):
            request.caller.require(BATCH_TRIGGER, ("tasks", task), ("batch", batch_id))


def complete_token(request: ApiRequest, token_id: str) -> None:
    request.caller.require(WRITE, ("waitpoints", token_id))


def reset_key(request: ApiRequest, key: str) -> None:
    request.caller.require(WRITE, ("runs", None))


def resources_of(run_id: str) -> list[Resource]:
    """What a scope may name to mean this run; of one that is not there, its id alone."""
    found: list[Resource] = [("runs", run_id)]
    if "\x00" in run_id:
        return found
    run = Run.objects.filter(pk=run_id).only("task_id", "tags", "batch_id").first()
    if run is not None:
        found += [("tasks", run.task_id), *(("tags", tag) for tag in run.tag_list)]
        found += [("batch", run.batch_id)] if run.batch_id else []
    return found
