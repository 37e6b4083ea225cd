"""Bodies that tell while they execute, and are told."""

import time
from pathlib import Path

from engine import metadata, retry, streams, task

ONCE = retry(max_attempts=1)


@task(id="give", retry=ONCE)
def give(payload):
    """Gives out numbers, and goes on once its file exists."""
    for number in streams.pipe("numbers", range(3)):
        metadata.set("number", number)
    until = payload.get("until")
    while until and not Path(until).exists():
        time.sleep(0.01)
    streams.append("numbers", "last")
    return "given"


@task(id="ask", retry=ONCE)
def ask():
    return [streams.input("approval").unwrap(), streams.input("approval").unwrap()]
