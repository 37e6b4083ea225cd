"""The tasks the measurements trigger."""

import socket
import time

from engine import queue, task

#: Never limited.
OPEN = queue("bench-open")
#: One at a time for each concurrency key.
KEYED = queue("bench-keyed", concurrency_limit=1)


@task(id="bench-noop", queue=OPEN)
def noop() -> None:
    """Nothing: what is left is the price of running."""


@task(id="bench-keyed", queue=KEYED)
def keyed() -> None:
    """Nothing, one at a time for each key."""


@task(id="bench-stamp", queue=OPEN)
def stamp(payload: dict[str, str]) -> None:
    """Say when the body began: CLOCK_MONOTONIC is one clock for all processes of a machine."""
    began = time.monotonic_ns()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as answer:
        answer.sendto(str(began).encode(), payload["address"])
