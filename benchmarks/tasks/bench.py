"""The tasks the measurements trigger."""

import socket
import time
from datetime import UTC, datetime
from typing import Any

from engine import queue, step, task, wait

#: Never limited.
OPEN = queue("bench-open")
#: One at a time for each concurrency key.
KEYED = queue("bench-keyed", concurrency_limit=1)


@task(id="bench-noop", queue=OPEN)
def noop() -> None:
    """Nothing: what is left is the price of running."""


@task(id="bench-async-noop", queue=OPEN)
async def async_noop() -> None:
    """The same in a process that many share."""


@task(id="bench-keyed", queue=KEYED)
def keyed() -> None:
    """Nothing, one at a time for each key."""


@task(id="bench-stamp", queue=OPEN)
def stamp(payload: dict[str, str]) -> None:
    """Say when the body began: CLOCK_MONOTONIC is one clock for all processes of a machine."""
    began = time.monotonic_ns()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as answer:
        answer.sendto(str(began).encode(), payload["address"])


@task(id="bench-steps", queue=OPEN)
def steps(payload: dict[str, Any]) -> None:
    """Steps that do nothing."""
    for _ in range(payload["each"]):
        step("step", nothing)


@task(id="bench-waits", queue=OPEN)
def waits(payload: dict[str, Any]) -> None:
    """Wait for the moment that all of these runs wait for."""
    wait.until(datetime.fromtimestamp(payload["until"], UTC))


@task(id="bench-naps", queue=OPEN)
def naps(payload: dict[str, Any]) -> None:
    """Waits too short to leave the worker for."""
    for _ in range(payload["each"]):
        wait(0.001)


@task(id="bench-children", queue=OPEN)
def children(payload: dict[str, Any]) -> None:
    """Children that do nothing, one after the other."""
    for _ in range(payload["each"]):
        noop.trigger_and_wait().unwrap()


@task(id="bench-batches", queue=OPEN)
def batches(payload: dict[str, Any]) -> None:
    """Two children that do nothing at a time."""
    for _ in range(payload["each"]):
        noop.batch_trigger_and_wait([{}, {}]).unwrap()


@task(id="bench-tokens", queue=OPEN)
def tokens(payload: dict[str, Any]) -> None:
    """Tokens that somebody else completes at once."""
    for _ in range(payload["each"]):
        wait.for_token(wait.create_token()).unwrap()


@task(id="bench-async-naps", queue=OPEN)
async def async_naps(payload: dict[str, Any]) -> None:
    """Short waits, suspended."""
    for _ in range(payload["each"]):
        await wait(0.001)


@task(id="bench-async-children", queue=OPEN)
async def async_children(payload: dict[str, Any]) -> None:
    """Children that do nothing, one after the other, suspended."""
    for _ in range(payload["each"]):
        (await noop.trigger_and_wait()).unwrap()


@task(id="bench-async-tokens", queue=OPEN)
async def async_tokens(payload: dict[str, Any]) -> None:
    """Tokens that somebody else completes at once, suspended."""
    for _ in range(payload["each"]):
        (await wait.for_token(wait.create_token())).unwrap()


@task(id="bench-answers", queue=OPEN)
def answers(payload: dict[str, Any]) -> None:
    """Complete so many tokens, each as soon as it is there."""
    left = payload["each"]
    while left:
        for token in wait.list_tokens(status="WAITING", limit=10):
            wait.complete_token(token["id"])
            left -= 1
        time.sleep(0.001)


def nothing() -> None:
    pass
