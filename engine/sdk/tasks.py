"""`@task`: functions whose launches are recorded as runs."""

import inspect
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import (
    Any,
    Concatenate,
    Generic,
    Protocol,
    TypedDict,
    TypeVar,
    Unpack,
    cast,
    overload,
)

from engine.registry import registry
from engine.runtime import Launch, LaunchOptions
from engine.sdk import andwait
from engine.sdk.andwait import AndWait, TaskItem, numbered
from engine.sdk.batches import Batches, triggered
from engine.sdk.bodies import Body, Source, checked_id, described, inspected, source_of
from engine.sdk.context import Context, current
from engine.sdk.defaults import Stated, effective, stated
from engine.sdk.durable import here, launcher
from engine.sdk.handles import BatchHandle, Handle, handle
from engine.sdk.hookkinds import NAMES, AnyHook, HookOptions
from engine.sdk.hooks import Decorators, TaskHooks
from engine.sdk.keys import checked_key
from engine.sdk.options import TriggerOptions, checked, key_text, tag_tuple
from engine.sdk.options import priority as checked_priority
from engine.sdk.queues import Queue, as_queue
from engine.sdk.results import BatchResult, Result
from engine.sdk.schemas import PayloadSchema
from engine.sdk.spans import passed_on
from engine.sdk.timetables import DeclaredSchedule, as_overlap, as_schedule, payload_schema
from engine.sdk.unknown import refuse_unknown
from engine.sdk.values import payload_text
from engine.sdk.webhooks import as_webhook
from runs import keyfacts
from runs.errors import InvalidOption
from runs.keypaths import key_at
from runs.retries import RetryPolicy
from runs.webhooks import Webhook

P = TypeVar("P")
R = TypeVar("R")
Duration = float | str | timedelta


class BatchItem(TypedDict, Generic[P], total=False):
    """One item of a batch: its payload and the options of its trigger."""

    payload: P
    options: TriggerOptions


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Task(AndWait[P, R], Decorators, Generic[P, R]):
    """A function that can be triggered; calling it runs it here and now, as in a unit test.

    Its hooks are options of `@task`, or functions decorated with `@invoice.on_success` and so on.

    Example:
        @task(retry=retry(max_attempts=5), queue="billing")
        def invoice(payload: Order) -> str: ...

        handle = invoice.trigger(Order(id=7), delay="1h", tags="customer_42")
        assert invoice(Order(id=7)) == "sent"
    """

    id: str
    description: str
    body: Body
    source: Source
    schema: PayloadSchema
    stated: Stated
    queue: Queue
    priority: float
    tags: tuple[str, ...]
    concurrency_key: Callable[[P], str | int | None] | str | None
    own_hooks: TaskHooks
    #: Set for a scheduled task; its `cron` is empty where schedules are attached at run time only.
    schedule: DeclaredSchedule | None = None
    #: What a trigger does while a run of this task and concurrency key is open.
    overlap: str = "allow"
    #: Set for a task that another service triggers by a signed request.
    webhook: Webhook | None = None
    #: Places in payload, metadata or output whose values tell its runs apart on pages.
    key_facts: tuple[str, ...] = ()

    @property
    def effective(self) -> Stated:
        """Retry, machine, max_duration and ttl, with the defaults for what the task leaves open."""
        return effective(self.stated)

    @property
    def retry(self) -> RetryPolicy:
        """How often, and how soon, a failed run is tried again."""
        return self.effective.retry or RetryPolicy()

    @property
    def machine(self) -> str | None:
        """The preset its runs need."""
        return self.effective.machine

    @property
    def max_duration(self) -> float | None:
        """Longest executing time of an attempt in seconds; None is no limit."""
        return self.effective.max_duration

    @property
    def ttl(self) -> float | None:
        """Seconds a run may stand queued before its first start; None is for ever."""
        return self.effective.ttl

    def add_hook(self, kind: str, function: AnyHook, name: str | None = None) -> None:
        self.own_hooks.add(kind, function, name)

    def __call__(self, *args: Any, **kwargs: Any) -> R:
        """Run the plain function in this process: no run is recorded."""
        return cast("R", self.body.function(*args, **kwargs))

    @overload
    def trigger(
        self: "Task[None, R]", payload: None = None, **options: Unpack[TriggerOptions]
    ) -> Handle[R]: ...
    @overload
    def trigger(self, payload: P, **options: Unpack[TriggerOptions]) -> Handle[R]: ...
    def trigger(self, payload: Any = None, **options: Any) -> Handle[R]:
        """Make a run of this task and return at once.

        The payload is validated here: an invalid one raises InvalidPayload and makes no run. Inside
        `transaction.atomic()` the run is part of that transaction.
        """
        return handle(self.id, launcher().trigger(self.launch(payload, options)))

    def batch_trigger(
        self,
        items: Iterable[BatchItem[P]],
        *,
        idempotency_key: Any = None,
        idempotency_key_ttl: Duration | None = None,
    ) -> BatchHandle[R]:
        """Make many runs, all or none; `items` are `{"payload": ..., "options": {...}}`.

        An idempotency key here is the batch's: the same batch again makes nothing.

        Example:
            sent = invoice.batch_trigger([{"payload": order} for order in orders])
            batch.retrieve(sent.id)
        """
        return triggered(numbered(self.launch, items), idempotency_key, idempotency_key_ttl)

    def __repr__(self) -> str:
        return f"<Task {self.id} at {self.source}>"

    def launch(self, payload: Any, options: Mapping[str, Any]) -> Launch:
        """The checked request that a trigger hands to the engine."""
        text = payload_text(payload)
        with naming(self.id):
            parsed = self.schema.parse(text)
            wanted = inherited(checked(options))
            if self.concurrency_key is not None and "concurrency_key" not in wanted:
                given = self.concurrency_key
                key = key_at(given, text) if isinstance(given, str) else given(parsed)
                if key is not None:
                    wanted["concurrency_key"] = key_text(key)
        return Launch(self.id, text, wanted, validated=True)


class AsyncTask(Task[P, R]):
    """A task whose body is a coroutine function."""

    def __call__(  # type: ignore[override]  # a call of an async function is awaited
        self, *args: Any, **kwargs: Any
    ) -> Coroutine[Any, Any, R]:
        """Run the plain coroutine function in this process: no run is recorded."""
        return cast("Coroutine[Any, Any, R]", self.body.function(*args, **kwargs))


class Decorator(Protocol):
    """What `@task(...)` returns: the forms of body it takes, and the tasks it makes of them."""

    @overload
    def __call__(self, function: Callable[[], Coroutine[Any, Any, R]], /) -> AsyncTask[None, R]: ...
    @overload
    def __call__(
        self, function: Callable[[P, Context], Coroutine[Any, Any, R]], /
    ) -> AsyncTask[P, R]: ...
    @overload
    def __call__(self, function: Callable[[P], Coroutine[Any, Any, R]], /) -> AsyncTask[P, R]: ...
    @overload
    def __call__(self, function: Callable[[], R], /) -> Task[None, R]: ...
    @overload
    def __call__(self, function: Callable[[P, Context], R], /) -> Task[P, R]: ...
    @overload
    def __call__(self, function: Callable[[P], R], /) -> Task[P, R]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[P, ...], Coroutine[Any, Any, R]], /
    ) -> AsyncTask[P, R]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[P, ...], R], /) -> Task[P, R]: ...


@overload
def task(function: Callable[[], Coroutine[Any, Any, R]], /) -> AsyncTask[None, R]: ...
@overload
def task(function: Callable[[P, Context], Coroutine[Any, Any, R]], /) -> AsyncTask[P, R]: ...
@overload
def task(function: Callable[[P], Coroutine[Any, Any, R]], /) -> AsyncTask[P, R]: ...
@overload
def task(function: Callable[[], R], /) -> Task[None, R]: ...
@overload
def task(function: Callable[[P, Context], R], /) -> Task[P, R]: ...
@overload
def task(function: Callable[[P], R], /) -> Task[P, R]: ...
@overload
def task(function: Callable[Concatenate[P, ...], Coroutine[Any, Any, R]], /) -> AsyncTask[P, R]: ...
@overload
def task(function: Callable[Concatenate[P, ...], R], /) -> Task[P, R]: ...
@overload
def task(
    *,
    id: str | None = None,
    description: str | None = None,
    retry: RetryPolicy | Mapping[str, Any] | None = None,
    queue: Queue | Mapping[str, Any] | str | None = None,
    machine: str | Mapping[str, Any] | None = None,
    max_duration: Duration | None = None,
    ttl: Duration | None = None,
    priority: float = 0,
    tags: str | Iterable[str] = (),
    concurrency_key: Callable[[Any], str | int | None] | str | None = None,
    schema: Any = None,
    schedule: DeclaredSchedule | Mapping[str, Any] | str | None = None,
    overlap: str = "allow",
    webhook: Webhook | Mapping[str, Any] | None = None,
    key_facts: str | Sequence[str] = (),
    **hooks: Unpack[HookOptions],
) -> Decorator: ...
def task(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a function a task: `@task`, or `@task(...)` with options.

    The body may take the payload, `ctx`, both or neither. An annotation on the payload (a pydantic
    model, a dataclass, `list[int]`, ...) is its schema. The id is the function's name if not given,
    the description the first line of its docstring.

    Example:
        @task(id="send-invoice", retry={"max_attempts": 5}, queue={"concurrency_limit": 10})
        def send_invoice(payload: Invoice, ctx: Context) -> str:
            return mail(payload.customer, payload.total)
    """
    whose = f"Task “{options['id']!s:.80}”: @task" if "id" in options else "@task"
    refuse_unknown(options, OPTIONS, whose)
    if function is not None:
        return define(function)
    return lambda body: define(body, **options)


def define(  # noqa: PLR0913  the options of a task
    function: Callable[..., Any],
    *,
    id: str | None = None,  # noqa: A002  the option's name
    description: str | None = None,
    retry: RetryPolicy | Mapping[str, Any] | None = None,
    queue: Queue | Mapping[str, Any] | str | None = None,
    machine: str | Mapping[str, Any] | None = None,
    max_duration: Duration | None = None,
    ttl: Duration | None = None,
    priority: float = 0,
    tags: str | Iterable[str] = (),
    concurrency_key: Callable[[Any], str | int | None] | str | None = None,
    schema: Any = None,
    schedule: DeclaredSchedule | Mapping[str, Any] | str | None = None,
    overlap: str = "allow",
    webhook: Webhook | Mapping[str, Any] | None = None,
    key_facts: str | Sequence[str] = (),
    **hooks: AnyHook,
) -> Task[Any, Any]:
    """Check the options, build the task and register it."""
    name = checked_id(getattr(function, "__name__", "?") if id is None else id)
    with naming(name):
        body, annotation = inspected(function)
        kind = AsyncTask if body.is_async else Task
        timetable = as_schedule(schedule)
        made: Task[Any, Any] = kind(
            id=name,
            description=described(function, description),
            body=body,
            source=source_of(function),
            schema=payload_schema(schema, annotation, timetable),
            stated=stated(retry=retry, machine=machine, max_duration=max_duration, ttl=ttl),
            queue=as_queue(queue, name),
            priority=checked_priority(priority),
            tags=tag_tuple(tags),
            concurrency_key=checked_key(concurrency_key, by_itself=bool(timetable or webhook)),
            own_hooks=TaskHooks(name, hooks),
            schedule=timetable,
            overlap=as_overlap(overlap),
            webhook=as_webhook(webhook),
            key_facts=keyfacts.checked(key_facts),
        )
    registry.add(made)
    return made


#: Every option of `@task`.
OPTIONS = {*(inspect.signature(define).parameters.keys() - {"function", "hooks"}), *NAMES}


@contextmanager
def naming(task_id: str) -> Iterator[None]:
    """An option that is refused says whose it is."""
    try:
        yield
    except InvalidOption as error:
        if not str(error).startswith(whose := f"Task “{task_id}”"):
            error.args = (f"{whose}: {error}",)
        raise


def inherited(options: LaunchOptions) -> LaunchOptions:
    """The options with what a run passes on to runs it triggers (features.md 9.4)."""
    ctx = current()
    if ctx is not None:
        options["parent_id"] = ctx.run.id
        if ctx.run.is_test:
            options["is_test"] = True
    options.update(passed_on())
    return options


class Tasks:
    """Triggers tasks by id, known to this process or not.

    Example:
        tasks.trigger("send-invoice", {"customer": "c_42"}, delay="10m")
    """

    def trigger(
        self, task_id: str, payload: Any = None, **options: Unpack[TriggerOptions]
    ) -> Handle[Any]:
        """Make a run of the task with this id.

        The payload is validated by the task if this process has it, else by the JSON Schema the
        clusters registered.
        """
        return handle(task_id, launcher().trigger(launch_by_id(task_id, payload, options)))

    def batch_trigger(
        self,
        task_id: str,
        items: Iterable[BatchItem[Any]],
        *,
        idempotency_key: Any = None,
        idempotency_key_ttl: Duration | None = None,
    ) -> BatchHandle[Any]:
        """Make many runs of the task with this id, all or none."""
        launches = numbered(lambda payload, options: launch_by_id(task_id, payload, options), items)
        return triggered(launches, idempotency_key, idempotency_key_ttl)

    def trigger_and_wait(
        self, task_id: str, payload: Any = None, **options: Unpack[TriggerOptions]
    ) -> Result[Any]:
        """Make a run of the task with this id and wait for its end; inside a body only."""
        replay = here(f"tasks.trigger_and_wait({task_id!r})")
        return andwait.one(
            replay, task_id, payload, lambda: launch_by_id(task_id, payload, options)
        )

    def batch_trigger_and_wait(self, items: Iterable[TaskItem]) -> BatchResult[Any]:
        """Make runs of several tasks and wait for all of them; inside a body only.

        Example:
            tasks.batch_trigger_and_wait([{"task": resize, "payload": a}, {"task": "mail", "payload": b}])
        """
        replay = here("tasks.batch_trigger_and_wait()")
        return andwait.many(replay, andwait.mixed(launch_by_id, items))


def launch_by_id(task_id: str, payload: Any, options: Mapping[str, Any]) -> Launch:
    known = registry.get(checked_id(task_id))
    if known is not None:
        return known.launch(payload, options)
    with naming(task_id):
        return Launch(task_id, payload_text(payload), inherited(checked(options)))


tasks = Tasks()
batch = Batches(launch_by_id)
