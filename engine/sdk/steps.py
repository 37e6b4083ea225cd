"""`step`: a piece of a body that runs once, however often the body runs again."""

import inspect
import json
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, overload

from django.utils import timezone

from engine.sdk import values
from engine.sdk.calls import Call
from engine.sdk.durable import here, inside
from engine.sdk.errors import CannotWaitHere, StepFailed, UnsupportedValue
from engine.sdk.results import restored, returned_type
from engine.sdk.spans import Trace
from runs import conf
from runs.errors import InvalidOption
from runs.states import EntryKind, EntryStatus

R = TypeVar("R")
MAX_NAME = 256
MAX_MESSAGE = 1000


class Steps:
    """Runs a function once in the life of a run and remembers what it returned.

    The result is recorded as JSON. When the body runs again, after a wait, a crash or a failed
    attempt, the step answers with the record; a step that raised runs again in the next attempt.
    If the machine dies between the function's effect and the record, the function runs again: pass
    `step.idempotency_key` on to outside services, or use `atomic=True`.

    Example:
        order = step("load", load_order, payload["id"])
        charge = step("charge", lambda: stripe.charge(order, idempotency_key=step.idempotency_key))
        step("mark paid", mark_paid, order, atomic=True)
        report = await step("render", render, order)  # of an async function
    """

    @property
    def idempotency_key(self) -> str:
        """Text that is the same whenever this step of this run is tried; read it inside a step."""
        call = inside.get()
        if call is None:
            raise CannotWaitHere(
                "step.idempotency_key was read outside of a step. Read it in the step's function."
            )
        return f"{call.replay.run_id}-{call.name}-{call.ordinal}"

    @overload
    def __call__(
        self,
        name: str,
        function: Callable[..., Coroutine[Any, Any, R]],
        /,
        *args: Any,
        atomic: bool = False,
        **kwargs: Any,
    ) -> Coroutine[Any, Any, R]: ...
    @overload
    def __call__(
        self,
        name: str,
        function: Callable[..., R],
        /,
        *args: Any,
        atomic: bool = False,
        **kwargs: Any,
    ) -> R: ...
    def __call__(
        self,
        name: str,
        function: Callable[..., Any],
        /,
        *args: Any,
        atomic: bool = False,
        **kwargs: Any,
    ) -> Any:
        """The function's result: recorded before, or made and recorded now.

        `atomic=True` runs the function and writes the record in one transaction of Django's default
        database, so that its changes there happen exactly once.
        """
        replay = here(f"step({checked_name(name)!r})")
        call = replay.call(EntryKind.STEP, name, arguments(args, kwargs))
        if inspect.iscoroutinefunction(function):
            if atomic:
                raise InvalidOption(
                    "atomic", "atomic=True needs a plain function, not an async one."
                )
            return run_async(call, function, args, kwargs)
        if call.entry is not None:
            return answer(call, function)
        run = run_atomic if atomic else run_plain
        return run(call, function, args, kwargs)


step = Steps()


def run_plain(call: Call, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    began = timezone.now()
    try:
        with entered(call):
            text = recorded(call, function(*args, **kwargs))
    except Exception as error:
        remember_failure(call, error, began)
        raise
    call.replay.record(call.made(EntryStatus.DONE, result=text, started_at=began))
    return restored(text, returned_type(function))


def run_atomic(call: Call, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    began = timezone.now()
    try:
        with call.replay.atomic() as record:
            with entered(call):
                text = recorded(call, function(*args, **kwargs))
            record(call.made(EntryStatus.DONE, result=text, started_at=began))
    except Exception as error:
        remember_failure(call, error, began)
        raise
    return restored(text, returned_type(function))


async def run_async(call: Call, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    if call.entry is not None:
        return answer(call, function)
    began = timezone.now()
    try:
        with entered(call):
            text = recorded(call, await function(*args, **kwargs))
    except Exception as error:
        remember_failure(call, error, began)
        raise
    call.replay.record(call.made(EntryStatus.DONE, result=text, started_at=began))
    return restored(text, returned_type(function))


@contextmanager
def entered(call: Call) -> Iterator[None]:
    token = inside.set(call)
    try:
        with Trace(call.name, "step", place=("step", call.name, call.ordinal)):
            yield
    finally:
        inside.reset(token)


def answer(call: Call, function: Callable[..., Any]) -> Any:
    """What was recorded: the value, or the exception again."""
    entry = call.entry
    assert entry is not None  # the caller looked
    if entry.status == EntryStatus.FAILED:
        raise exception_of(entry.error or "{}")
    return restored(entry.result, returned_type(function))


def recorded(call: Call, value: Any) -> str | None:
    """The value as JSON text."""
    if inspect.iscoroutine(value):
        value.close()
        raise TypeError(f"Step “{call.name}” returned a coroutine. Await it, in an async function.")
    try:
        return None if value is None else values.dumps(value, conf.get("OUTPUT_LIMIT"))
    except UnsupportedValue as error:
        error.args = (f"The result of step “{call.name}” cannot be recorded. {error}",)
        raise


def checked_name(name: object) -> str:
    if isinstance(name, str) and 1 <= len(name) <= MAX_NAME and name.isprintable():
        return name
    raise InvalidOption(
        "name", f"A step's name is printable text of 1 to {MAX_NAME} characters; got {name!r:.80}."
    )


def arguments(args: Any, kwargs: Any) -> str | None:
    """The arguments as text to compare; None when they have none."""
    if not args and not kwargs:
        return None
    try:
        return values.dumps([args, kwargs])
    except (UnsupportedValue, RecursionError):
        return None


def remember_failure(call: Call, error: Exception, began: Any) -> None:
    """The rest of this attempt has to find the same failure, should the body come here again."""
    kind = type(error)
    facts = {
        "name": kind.__name__,
        "message": safe(error)[:MAX_MESSAGE],
        "module": kind.__module__,
        "qualname": kind.__qualname__,
        "args": plain_args(error),
    }
    told = json.dumps(facts, ensure_ascii=True)
    call.replay.record(call.made(EntryStatus.FAILED, error=told, started_at=began))


def plain_args(error: Exception) -> list[Any] | None:
    """The exception's arguments where they are plain JSON."""
    args = list(error.args)
    try:
        return args if json.loads(values.dumps(args, 100_000)) == args else None
    except (UnsupportedValue, RecursionError):
        return None


def safe(error: Exception) -> str:
    try:
        return str(error)
    except Exception:
        return ""


def exception_of(told: str) -> Exception:
    """The exception that was recorded, of its own class where this process has that."""
    facts = json.loads(told)
    found: Any = sys.modules.get(facts.get("module", ""))
    for part in str(facts.get("qualname", "")).split("."):
        found = getattr(found, part, None)
    if isinstance(found, type) and issubclass(found, Exception) and facts.get("args") is not None:
        try:
            made = found.__new__(found, *facts["args"])
        except Exception:
            return StepFailed(f"{facts.get('name')}: {facts.get('message')}")
        made.args = tuple(facts["args"])
        return made
    return StepFailed(f"{facts.get('name')}: {facts.get('message')}")
