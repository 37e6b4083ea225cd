"""What the overview pages of Trigger.dev show, in Python: docs/coming-from-trigger-dev.md has both.

Each of these runs from its Test page; those that take a payload are content with `{}`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from pydantic import BaseModel, Field

from engine import (
    Context,
    ErrorDecision,
    LocalKey,
    RunResult,
    ScheduledPayload,
    Wait,
    hooks,
    logger,
    schedules,
    task,
    tasks,
    wait,
)


class Message(BaseModel):
    """What hello-world says."""

    message: str = "Hello world!"


# -- the task, and how to trigger it --------------------------------------------------------------


@task(id="hello-world")
def hello_world(payload: Message) -> None:
    """Say something; code here may run for as long as it takes."""
    print(payload.message)


@task(id="trigger-hello-world")
def trigger_hello_world() -> str:
    """Trigger a task from other code: a view, a script, another task."""
    handle = hello_world.trigger(Message(message="Hello world!"))
    print("Task is running with handle", handle.id)
    return handle.id


@task(id="trigger-by-id")
def trigger_by_id() -> str:
    """Trigger a task by its id, without importing it."""
    return tasks.trigger("hello-world", {"message": "Hello from elsewhere!"}).id


@task(id="trigger-and-wait")
def trigger_and_wait() -> list[str]:
    """Wait for other runs, without a process or a slot meanwhile."""
    first = shout.trigger_and_wait(Message(message="one")).unwrap()
    rest = shout.batch_trigger_and_wait([{"payload": Message(message=m)} for m in ("two", "three")])
    return [first, *rest.unwrap()]


@task(id="shout")
def shout(payload: Message) -> str:
    """Return what it was given, louder."""
    return payload.message.upper()


# -- options --------------------------------------------------------------------------------------


@task(
    id="task-with-retries",
    retry={
        "max_attempts": 10,
        "factor": 1.8,
        "min_timeout": 0.5,
        "max_timeout": 30,
        "randomize": False,
    },
)
def task_with_retries(payload: dict[str, int] | None, ctx: Context) -> int:
    """Fail twice, or `{"fail": n}` times; tried again after 0.5 s, 0.9 s, 1.62 s, ..."""
    if ctx.attempt.number <= (payload or {"fail": 2})["fail"]:
        raise ConnectionError(f"attempt {ctx.attempt.number} failed")
    return ctx.attempt.number


@task(id="one-at-a-time", queue={"concurrency_limit": 1})
def one_at_a_time() -> str:
    """Never executed twice at the same time."""
    time.sleep(1)
    return "my turn is over"


@task(id="heavy-task", machine={"preset": "large-1x"})
def heavy_task(ctx: Context) -> str:
    """Run with 4 vCPUs and 8 GB; machine="large-1x" says the same."""
    return f"{ctx.machine.name}: {ctx.machine.cpu:g} vCPU, {ctx.machine.memory:g} GB"


@task(id="heavy-task-older", machine={"cpu": 2, "memory": 4})
def heavy_task_older(ctx: Context) -> str:
    """Ask for vCPUs and gigabytes, as the oldest page does: the smallest preset that has both."""
    return ctx.machine.name


@task(id="long-task", max_duration=300)
def long_task(ctx: Context) -> float | None:
    """Stopped when it executes for more than 300 seconds; waits do not count."""
    return ctx.run.max_duration


@task(id="time-sensitive-task", ttl="10m")
def time_sensitive_task() -> str:
    """Not worth doing if it has not started within ten minutes."""
    return "in time"


class Prompt(BaseModel):
    """What interruptible-chat and schema-task take."""

    prompt: str = Field(default="Tell me a story", description="The prompt to chat about")
    words: int = Field(default=20, ge=1)


@task(id="schema-task", description="A task that knows its payload")
def schema_task(payload: Prompt) -> str:
    """An invalid payload makes no run."""
    return f"{payload.words} words about {payload.prompt!r}"


@schedules.task(id="first-scheduled-task", cron={"pattern": "0 5 * * *", "timezone": "Asia/Tokyo"})
def first_scheduled_task(payload: ScheduledPayload) -> str:
    """Run every morning at five in Tokyo."""
    return f"{payload.local_timestamp:%H:%M} in {payload.timezone}"


# -- middleware and locals ------------------------------------------------------------------------


class Database:
    """Stands for the client of a database."""

    def __init__(self) -> None:
        self.connected = False

    async def connect(self) -> None:
        self.connected = True
        logger.info("Connecting to the database")

    async def disconnect(self) -> None:
        self.connected = False
        logger.info("Disconnecting from the database")


DATABASE = LocalKey[Database]("db")


async def with_database(next: Callable[[], Coroutine[Any, Any, None]]) -> None:  # noqa: A002
    """Middleware: what comes before `next()` runs before all hooks, what comes after it last."""
    database = DATABASE.set(Database())
    await database.connect()
    try:
        await next()
    finally:
        await database.disconnect()


@task(id="task-with-middleware", middleware=with_database)
def task_with_middleware() -> bool:
    """Use what the middleware opened."""
    return DATABASE.get_or_raise().connected


# -- hooks ----------------------------------------------------------------------------------------


def started(ctx: Context, task: str) -> None:
    logger.info(f"{task} starts attempt {ctx.attempt.number}")
    if ctx.attempt.number == 1:
        logger.info("it is the first one")


@task(id="task-with-on-start-attempt", on_start_attempt=started)
def task_with_on_start_attempt() -> None:
    """Be told before every attempt."""


def paused(wait: Wait) -> None:
    logger.info("Run paused", wait=wait.type)


def resumed(wait: Wait) -> None:
    logger.info("Run resumed", wait=wait.type)


@task(id="task-with-on-wait-and-on-resume", on_wait=paused, on_resume=resumed)
def task_with_on_wait_and_on_resume(ctx: Context) -> None:
    """Be told when the run leaves its worker to wait, and when it is back."""
    print("Run started", ctx.run.id)
    wait(seconds=10)
    print("Run finished", ctx.run.id)


async def succeeded(output: str, ctx: Context) -> None:
    logger.info("Task succeeded", task=ctx.task.id, output=output)


@task(id="task-with-on-success", on_success=succeeded)
async def task_with_on_success() -> str:
    """Be told what a run returned."""
    return "fine"


def completed(result: RunResult) -> None:
    if result.ok:
        logger.info("Run succeeded", output=result.output)
    else:
        logger.info("Run failed", error=str(result.error))


@task(id="task-with-on-complete", on_complete=completed, retry={"max_attempts": 1})
def task_with_on_complete(payload: dict[str, bool] | None) -> str:
    """Be told how a run ended, whichever way; `{"fail": true}` lets it fail."""
    if (payload or {}).get("fail"):
        raise ValueError("told to fail")
    return "fine"


def failed(error: BaseException) -> None:
    logger.error("Task failed for good", error=str(error))


@task(id="task-with-on-failure", on_failure=failed, retry={"max_attempts": 2, "min_timeout": 0.1})
def task_with_on_failure() -> None:
    """Be told once all attempts are used up."""
    raise ValueError("it never works")


def decided(error: BaseException) -> ErrorDecision | None:
    return {"skip_retrying": True} if isinstance(error, PermissionError) else None


@task(id="task-with-catch-error", catch_error=decided)
def task_with_catch_error() -> None:
    """Decide after an error whether, and when, to try again."""
    raise PermissionError("trying again would not help")


# -- cancellation ---------------------------------------------------------------------------------


async def stream(prompt: Prompt) -> AsyncIterator[str]:
    """Stands for the answer of a model."""
    for number in range(prompt.words):
        await asyncio.sleep(0.2)
        yield f"word{number}"


@task(id="interruptible-chat")
async def interruptible_chat(payload: Prompt) -> str:
    """Cancel it while it answers: what came so far is kept."""
    chunks = list[str]()

    @hooks.on_cancel
    async def save_chunks() -> None:
        logger.info("saving", chunks=chunks)

    async for chunk in stream(payload):
        chunks.append(chunk)
    return " ".join(chunks)


def with_its_result(run: RunResult) -> None:
    logger.info("the body came to", output=run.output)


@task(id="cancel-example", on_cancel=with_its_result)
def cancel_example(payload: Message, *, signal: Any) -> dict[str, str]:
    """Cancel it: it notices, ends its work, and the hook gets what it returned."""
    signal.wait(timeout=10)
    return {"message": payload.message}


# -- deprecated, and in older pages ---------------------------------------------------------------


def once(ctx: Context) -> None:
    logger.info("Run started", run=ctx.run.id)


@task(id="task-with-on-start", on_start=once)
def task_with_on_start() -> None:
    """Be told before the first attempt."""


def prepared() -> dict[str, str]:
    return {"some_data": "some value"}


@task(id="task-with-init-return", init=prepared)
def task_with_init_return(payload: object = None, *, init: dict[str, str]) -> str:
    """Get what `init` returned."""
    return init["some_data"]


def cleaned_up(init: object) -> None:
    logger.info("cleaning up", init=init)


@task(id="task-with-cleanup", cleanup=cleaned_up)
def task_with_cleanup() -> None:
    """Clean up after every attempt."""


def noticed(error: BaseException) -> ErrorDecision | None:
    logger.warning("an attempt failed", error=str(error))
    return None


@task(
    id="task-with-handle-error",
    handle_error=noticed,
    on_error=failed,
    retry={"max_attempts": 2, "min_timeout": 0.1},
)
def task_with_handle_error() -> None:
    """The older names: `handle_error` is `catch_error`; `on_error` hears of every failed attempt."""
    raise ValueError("it never works")
