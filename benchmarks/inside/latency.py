"""Idle latency: from the moment a trigger is called to the first line of the body."""

import json
import os
import random
import socket
import time
from pathlib import Path

from runs import lifecycle
from runs.models import Source

WARM_UP = 10
ANSWER_SECONDS = 10


def samples(count: int, pause: float) -> list[float]:
    """Milliseconds of `count` launches, each into a cluster that has been idle for `pause` s."""
    address = Path(os.environ["TRACKSIDE_DATA_DIR"]) / "latency.socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as answers:
        answers.bind(str(address))
        answers.settimeout(ANSWER_SECONDS)
        payload = json.dumps({"address": str(address)})
        measured = [_sample(answers, payload, pause) for _ in range(WARM_UP + count)]
    return measured[WARM_UP:]


def _sample(answers: socket.socket, payload: str, pause: float) -> float:
    # uneven pauses: a fixed beat could fall in step with a poll
    time.sleep(pause * random.uniform(0.5, 1.5))
    called = time.monotonic_ns()
    lifecycle.trigger("bench-stamp", payload, source=Source.SDK)
    return (int(answers.recv(64)) - called) / 1e6
