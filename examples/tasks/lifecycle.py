"""Hooks and middleware: each says in the run's log when it is called."""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta

from django.utils import timezone

from engine import (
    AbortTaskRunError,
    Context,
    ErrorDecision,
    LocalKey,
    RunResult,
    Wait,
    logger,
    task,
    wait,
)

DATABASE = LocalKey[sqlite3.Connection]("database")


def connected(call_next: Callable[[], None]) -> None:
    """Middleware: a connection around the attempt, rolled back when it fails."""
    with closing(sqlite3.connect(":memory:")) as database, database:
        database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER)")
        DATABASE.set(database)
        logger.info("connected")
        call_next()
    logger.info("disconnected")


@task(id="with-middleware", middleware=connected)
def with_middleware(payload) -> int:
    """Store an order through a connection that a middleware opens and closes."""
    database = DATABASE.get_or_raise()
    total = (payload or {}).get("total", 42)
    if total < 0:
        raise AbortTaskRunError("An order cannot have a negative total.")
    database.execute("INSERT INTO orders (total) VALUES (?)", (total,))
    return int(database.execute("SELECT sum(total) FROM orders").fetchone()[0])


@task(id="all-hooks", retry={"max_attempts": 2, "min_timeout": 0.5})
async def all_hooks(payload: dict[str, int] | None, ctx: Context) -> str:
    """Call every hook of a run that succeeds; `{"fail": 1}` lets the first attempt fail, 2 both."""
    if ctx.attempt.number <= (payload or {}).get("fail", 0):
        raise ConnectionError(f"attempt {ctx.attempt.number} was told to fail")
    return "done"


@all_hooks.on_start_attempt
async def starting(ctx: Context) -> None:
    logger.info("on_start_attempt", attempt=ctx.attempt.number)


@all_hooks.catch_error
def catching(error: BaseException, retry_delay: float | None) -> None:
    logger.warning("catch_error", error=str(error), retry_in=retry_delay)


@all_hooks.on_success
def succeeded(output: str) -> None:
    logger.info("on_success", output=output)


@all_hooks.on_failure
def failed(error: BaseException) -> None:
    logger.error("on_failure", error=str(error))


@all_hooks.on_complete
async def completed(result: RunResult) -> None:
    logger.info("on_complete", ok=result.ok)


@task(id="wait-with-hooks")
def wait_with_hooks(payload: dict[str, int] | None) -> str:
    """Leave the worker for a while; a hook says so, and another when the run is back."""
    wait(seconds=(payload or {}).get("seconds", 5))
    return "waited"


@wait_with_hooks.on_wait
def leaving(wait: Wait) -> None:
    logger.info("on_wait", type=wait.type, until=str(wait.date))


@wait_with_hooks.on_resume
async def returning(wait: Wait) -> None:
    logger.info("on_resume", type=wait.type)


class RateLimited(Exception):
    """A service that says when it takes requests again."""

    def __init__(self, status: int, reset_at: datetime) -> None:
        super().__init__(f"status {status}")
        self.status, self.reset_at = status, reset_at


def decide(error: BaseException) -> ErrorDecision | None:
    """Retry when the service says so, not at all without permission, else as usual."""
    if isinstance(error, RateLimited) and error.status == 429:
        return {"retry_at": error.reset_at}
    if isinstance(error, RateLimited) and error.status == 401:
        return {"skip_retrying": True}
    return None


@task(id="ask-a-limited-service", retry={"max_attempts": 5}, catch_error=decide)
def ask_a_limited_service(payload, ctx: Context) -> str:
    """Be told to come back in 2 seconds, or `{"status": 401}`, never."""
    status = (payload or {}).get("status", 429)
    if ctx.attempt.number == 1 and status:
        raise RateLimited(status, timezone.now() + timedelta(seconds=2))
    return f"answered attempt {ctx.attempt.number}"


@task(id="count-until-canceled", max_duration="10m")
def count_until_canceled(payload, ctx: Context) -> int:
    """Count the seconds; cancel the run, and its hook stores how far it came."""
    for count in range((payload or {}).get("seconds", 60)):
        if ctx.signal.wait(timeout=1):
            return count
        print(count + 1)
    return 0


@count_until_canceled.on_cancel
def store_what_is_there(run: RunResult) -> None:
    logger.info("storing what is there", counted=run.output)


@task(id="crash", retry={"max_attempts": 1})
def crash(payload) -> None:
    """Die in the middle; the hooks are called all the same, by another worker."""
    logger.warning("about to die")
    time.sleep(0.2)
    if not (payload or {}).get("survive"):
        os.abort()


@crash.on_complete
def after_the_crash(result: RunResult) -> None:
    logger.info("on_complete", ok=result.ok, error=str(result.error))


# -- deprecated, as they were ---------------------------------------------------------------------


def opened() -> dict[str, float]:
    return {"opened_at": time.time()}


def once() -> None:
    logger.info("on_start: the first attempt only")


def closed(init: dict[str, float]) -> None:
    logger.info("cleanup", open_for=round(time.time() - init["opened_at"], 3))


@task(id="older-hooks", init=opened, on_start=once, cleanup=closed)
def older_hooks(payload, *, init: dict[str, float]) -> list[str]:
    """`init` returns what the body and later hooks get; `on_start` and `cleanup` frame the body."""
    return sorted(init)
