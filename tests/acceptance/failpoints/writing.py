"""A body that has its worker killed inside its next write to another process of the cluster."""

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from socket import MSG_DONTWAIT

from _notes import noted  # type: ignore[import-not-found]

from engine import retry, task
from engine.cluster import place as places


class DeadlySocket:
    """Stands for the writing end of a channel; nobody survives a `send`."""

    def __init__(self, real, moment):
        self.real, self.moment = real, moment

    def fileno(self):
        return self.real.fileno()

    def send(self, message, *flags):
        if self.moment == "after":
            self.real.send(message, *flags)
        if self.moment == "within":
            self.block(message)
        os.kill(os.getpid(), signal.SIGKILL)

    def block(self, message):
        """Be inside the system call when the end comes; the reader is stopped, so it lasts."""
        with suppress(BlockingIOError):
            while True:
                self.real.send(message, MSG_DONTWAIT)
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGKILL)).start()
        self.real.send(message)


@task(id="die-writing", retry=retry(max_attempts=2, min_timeout=0.05, max_timeout=0.1))
def die_writing(payload, ctx):
    with noted():
        while not Path(payload["go"]).exists():
            time.sleep(0.01)
    if ctx.attempt.number == 1:
        here = places.place()
        channel = here.wake if payload["channel"] == "wake" else here.lines.channel
        channel.writer = DeadlySocket(channel.writer, payload["moment"])
        print("said to the bookkeeper")
    return payload["moment"]
