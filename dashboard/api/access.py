"""Which public tokens an endpoint admits, and which keys of some tasks: rules for `endpoint`.

Each raises a 403.
"""

from collections.abc import Iterable, Sequence

from dashboard.api.auth import BATCH_TRIGGER, READ, TRIGGER, WRITE, Caller
from dashboard.api.endpoint import ApiRequest
from runs.errors import TokenUsed
from runs.lifecycle import onetime
from runs.models import Batch, Run
from runs.scopes import Resource


def by_handler(request: ApiRequest, **arguments: str) -> None:
    """The handler asks `request.caller.require(...)` itself, once it knows what it is asked for."""


def named_task(request: ApiRequest, task_id: str) -> None:
    """The task in the address is one of the key's."""
    request.caller.require_tasks(task_id)


def task_of_run(request: ApiRequest, run_id: str, **others: str) -> None:
    """The run's task is one of the key's."""
    require_runs(request.caller, [run_id])


def tasks_of_batch(request: ApiRequest, batch_id: str) -> None:
    """All its tasks are the key's."""
    require_batch(request.caller, batch_id)


def require_runs(caller: Caller, run_ids: Sequence[str]) -> None:
    """Raises a 403 for runs of tasks that a restricted key is not for; runs nobody has are none."""
    if caller.tasks:
        named = [one for one in run_ids if "\x00" not in one]
        found = set(Run.objects.filter(pk__in=named).values_list("task_id", flat=True))
        if found:
            caller.require_tasks(*found)


def require_batch(caller: Caller, batch_id: str) -> None:
    """The same for the tasks of a batch."""
    if caller.tasks and "\x00" not in batch_id:
        batch = Batch.objects.filter(pk=batch_id).first()
        if batch is not None:
            caller.require_tasks(*batch.task_list)


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
    caller.require_tasks(*tasks)
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
    """Raises a 403 for an item of a task that the key is not for, or the token does not name."""
    named = set(tasks)
    if named:
        request.caller.require_tasks(*named)
    if request.caller.is_public:
        for task in named:
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
