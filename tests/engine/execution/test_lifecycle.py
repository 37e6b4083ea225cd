"""docs/lifecycle.md says what is called in which order: each row of its tables is carried out here."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import engine
from engine import AbortTaskRunError, hooks, wait
from engine.execution.assignment import Assignment
from engine.execution.executor import End, conclude
from engine.execution.outcomes import Canceled, Failed, Interrupted, Succeeded, Suspended
from engine.sdk.hookkinds import KINDS
from tests.engine.support import Calm, Notebook, Sink, carry_out

#: Untyped on purpose: what type checkers know of tasks is in test_typing.py.
task: Any = engine.task

PAGE = Path(__file__).resolve().parents[3] / "docs" / "lifecycle.md"
ORDER, IN_ORDER = "| ending | called | elsewhere | status |", 17
ERRORS, IN_ERRORS = "| error in |", 14


def table(heading, rows):
    """The cells of the table below a heading line; the number keeps a typo from hiding rows."""
    lines = PAGE.read_text().split(heading, 1)[1].splitlines()[2:]
    found = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines[: [*lines, ""].index("")]
    ]
    assert len(found) == rows
    return found


def steps(cell):
    return [step.strip() for step in cell.split("→")] if cell else []


class Order(BaseModel):
    id: int = 0


class Stop:
    """Asks the body to stop once it says that it runs."""

    def __init__(self, reason=""):
        self._reason, self.armed = reason, False

    def reason(self):
        return self._reason if self.armed else ""


class Stage:
    """A task with every hook, which notes each call; `style` says which of them are coroutines."""

    def __init__(self, style, act, stop=None):
        self.calls, self.style, self.act, self.stop = [], style, act, stop
        self.made = 0
        options = {kind: self.hook(kind) for kind in KINDS if kind != "middleware"}
        self.task = task(id="staged", schema=Order, middleware=self.middleware(), **options)(
            self.body()
        )

    @property
    def is_async(self):
        self.made += 1
        return {"plain": False, "async": True, "mixed": bool(self.made % 2)}[self.style]

    def hook(self, kind):
        def plain():
            self.calls.append(kind)

        async def coroutine():
            await asyncio.sleep(0)
            self.calls.append(kind)

        return coroutine if self.is_async else plain

    def middleware(self):
        def plain(call_next):
            self.calls.append("middleware")
            try:
                call_next()
            finally:
                self.calls.append("/middleware")

        async def coroutine(call_next):
            self.calls.append("middleware")
            try:
                await call_next()
            finally:
                self.calls.append("/middleware")

        return coroutine if self.is_async else plain

    def body(self):
        def acted(ctx):
            self.calls.append("body")
            if self.stop is not None:
                self.stop.armed = True
                ctx._signal.abort(self.stop.reason())
                ctx.signal.raise_if_aborted()
            return self.act()

        def plain(payload, ctx):
            return acted(ctx)

        async def coroutine(payload, ctx):
            await asyncio.sleep(0)
            return acted(ctx)

        return coroutine if self.is_async else plain


def raising(error):
    def act():
        raise error

    return act


def nothing():
    return None


def an_hour():
    wait(hours=1)


def over(left):
    """The journal of a run whose wait has passed."""
    (entry,) = left.pause.entries
    return Notebook(entry._replace(due_at=entry.started_at))


STATUS = {
    Succeeded: "Completed",
    Canceled: "Canceled",
    Interrupted: "Queued",
    Suspended: "Waiting",
}
LABELS = {"FAILED": "Failed", "CRASHED": "Crashed", "TIMED_OUT": "Timed out"}


def status_of(outcome):
    if isinstance(outcome, Failed):
        return "Queued" if outcome.retry_delay is not None else LABELS[outcome.final_status]
    return STATUS[type(outcome)]


#: What happens in the attempt: the body, the stop, and the facts of the assignment.
IN_PROCESS: dict[str, Any] = {
    "success": (nothing, "", {}),
    "success of a later attempt": (nothing, "", {"attempt": 2}),
    "error, tried again": (raising(ValueError()), "", {}),
    "error, no attempt left": (raising(ValueError()), "", {"attempt": 3}),
    "`AbortTaskRunError`": (raising(AbortTaskRunError()), "", {}),
    "payload that the schema refuses": (nothing, "", {"payload": '{"id": "x"}'}),
    "return value without JSON form": (object, "", {}),
    "canceled while executing": (nothing, "cancel", {}),
    "longer than `max_duration`": (nothing, "timeout", {}),
    "out of memory": (raising(MemoryError()), "", {}),
    "cluster stops": (nothing, "shutdown", {}),
    "wait": (an_hour, "", {"keeper": Notebook()}),
    "success after a wait": (an_hour, "", {"resumed": True, "keeper": None}),
}
#: How the run stands when others call its hooks.
ELSEWHERE = {
    "canceled, and killed after its grace": "CANCELED",
    "canceled before it started": "CANCELED",
    "longer than `max_duration`": "TIMED_OUT",
    "out of memory": "CRASHED",
    "process gone": "CRASHED",
    "expired": "EXPIRED",
}
STYLES = ["plain", "async", "mixed"]


def test_every_row_is_carried_out():
    rows = table(ORDER, IN_ORDER)
    assert {row[0] for row in rows if row[1]} == set(IN_PROCESS)
    assert {row[0] for row in rows if row[2]} == set(ELSEWHERE)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("row", [r for r in table(ORDER, IN_ORDER) if r[1]], ids=lambda r: r[0])
def test_calls_in_this_order(row, style):
    ending, called, elsewhere, status = row
    act, reason, facts = IN_PROCESS[ending]
    stop = Stop(reason) if reason else None
    stage = Stage(style, act, stop)
    if facts.get("resumed"):
        left = carry_out(stage.task, "{}", keeper=Notebook())
        facts = facts | {"keeper": over(left)}
        stage.calls.clear()
    outcome = carry_out(stage.task, **({"payload": "{}"} | facts), control=stop)
    assert (stage.calls, status_of(outcome)) == (steps(called), status)
    final = isinstance(outcome, Canceled) or (
        isinstance(outcome, Failed) and outcome.retry_delay is None
    )
    if final:
        assert outcome.hooked != bool(elsewhere), "whether another worker has to call them"


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("row", [r for r in table(ORDER, IN_ORDER) if r[2]], ids=lambda r: r[0])
def test_others_call_in_this_order(row, style):
    ending, _, elsewhere, status = row
    stage = Stage(style, nothing)
    run = Assignment("run_1", "staged", payload="{}")
    told: Any = conclude(run, End(ELSEWHERE[ending], {"message": "gone"}), Sink(), Calm())
    assert stage.calls == steps(elsewhere)
    assert (list(told.called), told.problems) == (steps(elsewhere)[1:-1], ())
    assert ELSEWHERE[ending].replace("_", " ").capitalize() == status


# -- errors in hooks ------------------------------------------------------------------------------


def broken(kind):
    """A global hook of a kind that raises."""
    if kind == "middleware, before `next()`":
        return "middleware", lambda call_next: raising(OSError("broken"))()
    if kind == "middleware, after `next()`":

        def after(next):  # noqa: A002  the reference's name
            next()
            raise OSError("broken")

        return "middleware", after
    return kind.strip("`"), lambda: raising(OSError("broken"))()


def what_follows(kind, stage):
    """Carry out an attempt in which hooks of that kind are called."""
    if kind in ("on_wait", "on_resume"):
        return waited(kind, stage)
    stop = Stop("cancel") if kind == "on_cancel" else None
    stage.stop = stop
    if kind in ("on_error", "catch_error", "on_failure"):
        stage.act = raising(ValueError("the body's own"))
    return carry_out(stage.task, payload="{}", attempt=1, max_attempts=1, control=stop)


def waited(kind, stage):
    """To the wait, or from there to the end."""
    stage.act = an_hour
    left = carry_out(stage.task, payload="{}", keeper=Notebook())
    if kind == "on_wait":
        return left
    return carry_out(stage.task, payload="{}", keeper=over(left), resumed=True)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("row", table(ERRORS, IN_ERRORS), ids=lambda row: row[0])
def test_an_error_does_this(row, style):
    where, attempt, other, code, status = row
    kind, function = broken(where)
    hooks.add_hook(kind, function)
    if kind == "catch_error":  # the task's own comes first there
        hooks.add_hook(kind, lambda: None)
    stage = Stage(style, nothing)
    outcome = what_follows(kind, stage)
    assert (kind in stage.calls) == (other == "called")
    if outcome is not None:
        assert status_of(outcome) == status
        said = json.loads(getattr(outcome, "error", None) or "{}")
        assert said.get("code", "") == code.strip("`")
        assert ("broken" in said.get("message", "")) == (attempt == "fails")


def test_the_table_has_every_hook():
    named = {re.sub(r",.*", "", row[0]).strip("`") for row in table(ERRORS, IN_ERRORS)}
    assert named == set(KINDS)


def test_the_parameters_of_every_hook_are_documented():
    documented = {
        kind: set(re.findall(r"`(\w+)`", wants))
        for kinds, wants in table("| hook | may ask for", 11)
        for kind in re.findall(r"`(\w+)`", kinds)
    }
    offered = {kind: set(names) for kind, names in KINDS.items()}
    assert documented == offered
