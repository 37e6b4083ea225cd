"""Bodies that share a process."""

import asyncio
import os
import signal
import time
from pathlib import Path

from _notes import note, noted  # type: ignore[import-not-found]

from engine import queue, retry, task

ONCE = retry(max_attempts=1)
few = queue("few-naps", concurrency_limit=3)


def told(ctx):
    note("hook", thread_of=ctx.run.id)


@task(id="nap", retry=ONCE, on_success=told)
async def nap(payload):
    with noted():
        print(f"naps {payload['name']}")
        while not Path(payload["until"]).exists():
            await asyncio.sleep(0.05)
    return payload["name"]


@task(id="nap-of-few", retry=ONCE, on_success=told, queue=few)
async def nap_of_few(payload):
    return await nap(payload)


@task(id="nap-killer", retry=ONCE)
async def nap_killer(payload):
    with noted():
        await asyncio.sleep(0.05)
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(5)


@task(id="hog", retry=ONCE)
async def hog(payload):
    with noted():
        await asyncio.sleep(0.01)
        time.sleep(payload["seconds"])
