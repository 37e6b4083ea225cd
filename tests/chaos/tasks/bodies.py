"""Bodies of every kind of work, each writing down what it does."""

import asyncio
import os
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from engine import current, queue, retry, schedules, step, task, tasks, wait
from tests.chaos.ledger import write
from tests.chaos.work import plain_output

PATIENT = retry(max_attempts=30, factor=1, min_timeout=0.05, max_timeout=0.2)
ONE = queue("one", concurrency_limit=1)
THREE = queue("three", concurrency_limit=3)
FIVE = queue("five", concurrency_limit=5)
KEYED = queue("keyed", concurrency_limit=2, total_limit=8)
NESTED = queue("nested", concurrency_limit=2)
FAIR = queue("fair")


def note(what: str, **facts: Any) -> None:
    ctx = current()
    name, key = ctx.queue.name, ctx.run.concurrency_key or ""
    write(
        {"what": what, "run": ctx.run.id, "attempt": ctx.attempt.number, "queue": name, "key": key}
        | facts
    )


@contextmanager
def inside(*, begin: bool = True) -> Iterator[None]:
    """A stretch of a body that holds its slot; the first one, if not said otherwise."""
    if begin:
        note("begin")
    note("enter")
    try:
        yield
    finally:
        note("exit")


def remembered(name: str, seconds: float = 0.0) -> str:
    """A step whose result is another at each execution of its body."""

    def body() -> str:
        note("step-enter", name=name)
        time.sleep(seconds)
        value = uuid.uuid4().hex
        note("step-exit", name=name, value=value)
        return value

    value = step(name, body)
    note("answer", name=name, value=value)
    return value


@task(id="plain", retry=PATIENT)
def plain(payload):
    with inside():
        time.sleep(payload["seconds"])
    return plain_output(payload)


@task(id="plain-async", retry=PATIENT)
async def plain_async(payload):
    with inside():
        await asyncio.sleep(payload["seconds"])
    return plain_output(payload)


for place in (ONE, THREE, FIVE, KEYED, FAIR):

    @task(id=f"in-{place.name}", retry=PATIENT, queue=place)
    def in_queue(payload):
        with inside():
            time.sleep(payload["seconds"])
        return plain_output(payload)


@task(id="steps", retry=PATIENT)
def steps(payload):
    with inside():
        return [remembered(f"step {number}", payload["seconds"]) for number in range(3)]


@task(id="nest", retry=PATIENT, queue=NESTED)
def nest(payload):
    """Waits for a run of its own task, and so on down."""
    with inside():
        first = remembered("down")
    if payload["depth"] == 0:
        return {"depth": 0, "step": first, "below": None}
    below = tasks.trigger_and_wait("nest", {**payload, "depth": payload["depth"] - 1})
    with inside(begin=False):
        return {"depth": payload["depth"], "step": first, "below": below.unwrap()}


def leaves(payload):
    return [{"n": payload["n"] * 100 + number, "seconds": 0} for number in range(payload["many"])]


@task(id="batch", retry=PATIENT)
def batch(payload):
    with inside():
        pass
    made = tasks.batch_trigger_and_wait(
        [{"task": "plain", "payload": leaf} for leaf in leaves(payload)]
    )
    return [run.output for run in made.runs if run.ok]


@task(id="join", retry=PATIENT)
def join(payload):
    """Waits for runs that end at the very moment it begins to wait."""
    with inside():
        pass
    handles = [tasks.trigger("plain", leaf) for leaf in leaves(payload)]
    ended = wait.all(handles)
    return [one.output for one in ended]


@task(id="ask", retry=PATIENT)
def ask(payload):
    with inside():
        remembered("before")
        if payload["races"]:
            tasks.trigger("answer", payload)
    answer = wait.for_token(payload["token"])
    with inside(begin=False):
        after = remembered("after")
    return {"ok": answer.ok, "answer": answer.output if answer.ok else None, "after": after}


@task(id="answer", retry=PATIENT)
def answer(payload):
    """Comes about when the one that asked begins to wait."""
    with inside():
        time.sleep(payload["seconds"])
        wait.complete_token(payload["token"], {"is": 3})


@task(id="sleep", retry=PATIENT)
def sleep(payload):
    with inside():
        before = remembered("before")
    wait(payload["wait"])
    with inside(begin=False):
        return {"before": before, "n": payload["n"]}


@task(id="fail", retry=PATIENT)
def fail(payload, ctx):
    with inside():
        if ctx.attempt.number <= payload["fails"]:
            raise ValueError(f"attempt {ctx.attempt.number}")
    return plain_output(payload)


@task(id="slow", retry=PATIENT)
def slow(payload):
    """In pieces, for whoever wants to stop it."""
    with inside():
        until = time.monotonic() + payload["seconds"]
        while time.monotonic() < until:
            time.sleep(0.02)
    return plain_output(payload)


@task(id="overtime", retry=PATIENT)
def overtime(payload):
    with inside():
        time.sleep(60)


@task(id="killer", retry=PATIENT)
def killer(payload, ctx):
    """Kills its own process in its first attempt, or in each."""
    with inside():
        if ctx.attempt.number == 1 or payload["always"]:
            time.sleep(payload["seconds"])
            note("suicide")
            os.kill(os.getpid(), signal.SIGKILL)
    return plain_output(payload)


@schedules.task(id="tick", retry=PATIENT)
def tick(payload):
    with inside():
        return payload.timestamp.isoformat()
