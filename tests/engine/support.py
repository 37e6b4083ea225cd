"""What tests of the engine make attempts of."""

import asyncio
import logging
import sys
from contextlib import contextmanager
from datetime import UTC, datetime

from engine.execution.assignment import Assignment
from engine.execution.capture import let_pass
from engine.execution.executor import execute
from engine.execution.routing import share as to_each_his_own
from engine.execution.sharing import execute as share
from engine.execution.watching import Guest, Held, begun, watched
from engine.sdk.context import (
    AttemptInfo,
    Context,
    EnvironmentInfo,
    MachineInfo,
    QueueInfo,
    RunInfo,
    TaskInfo,
)
from runs.journal import Remembered


class Sink:
    """Keeps log lines and spans."""

    is_exporting = False

    def __init__(self):
        self.lines, self.spans = [], []

    def span(self, record):
        self.spans.append(record)
        return True

    @property
    def ended(self):
        """The spans that ended, by name."""
        return {record.name: record for record in self.spans if record.ended}

    def write(self, level, logger, message, at):
        self.lines.append((level, logger, message))

    @property
    def messages(self):
        return [message for _, _, message in self.lines]


class Calm:
    """Never asks a body to stop."""

    def reason(self):
        return ""


def make_context(attempt=1, *, is_test=False):
    return Context(
        run=RunInfo(id="run_1", is_test=is_test),
        task=TaskInfo("a-task"),
        attempt=AttemptInfo(attempt, datetime(2026, 1, 1, tzinfo=UTC)),
        queue=QueueInfo("task/a-task"),
        environment=EnvironmentInfo("Tests", "dev"),
        machine=MachineInfo("small-1x", 0.5, 0.5),
    )


class Notebook:
    """A journal in memory: what a run remembers of its waits."""

    token = "held"

    def __init__(self, *entries):
        self.entries = list(entries)

    def remembered(self):
        return Remembered(self.entries, {})

    def children(self):
        return []

    def record(self, entries):
        self.entries += entries

    def stay(self, pause, spot):
        return None


def carry_out(task, payload=None, *, control=None, sink=None, keeper=None, **facts):
    """Execute one attempt of a task."""
    facts = {"attempt": 1, "max_attempts": 3} | facts
    assignment = Assignment(run_id="run_1", task_id=task.id, payload=payload, **facts)
    return execute(assignment, sink or Sink(), control or Calm(), keeper=keeper)


class Told:
    """Asks a body to stop, once it is told to."""

    def __init__(self):
        self.word = ""

    def reason(self):
        return self.word


class Company:
    """Attempts that share an event loop, as they do in the host."""

    def __init__(self):
        self.guests, self.sinks, self.controls = [], [], []

    def add(self, task, payload=None, **facts):
        facts = {"attempt": 1, "max_attempts": 3} | facts
        number = len(self.guests)
        assignment = Assignment(f"run_{number}", task.id, payload=payload, **facts)
        self.guests.append(Guest(number, assignment))
        self.sinks.append(Sink())
        self.controls.append(Told())
        return self

    def stop(self, number, word):
        """In the loop, as the host does when it is told."""
        self.controls[number].word = word
        self.guests[number].look()

    def run(self, meanwhile=None, keeper=None):
        """The outcomes, in order; `meanwhile` is a coroutine of the host's own."""

        async def gathered():
            loop = asyncio.get_running_loop()
            loop.set_task_factory(watched(Held(lambda: len(self.guests))))
            beside = loop.create_task(meanwhile()) if meanwhile else None
            attempts = zip(self.guests, self.sinks, self.controls, strict=True)
            started = [begun(one[0], share(*one, keeper)) for one in attempts]
            outcomes = await asyncio.gather(*started)
            if beside:
                await beside
            return outcomes

        with routes():
            return asyncio.run(gathered())

    def messages(self, number):
        return self.sinks[number].messages


@contextmanager
def routes():
    """The process routes what is printed and logged, as the host does."""
    streams, root = (sys.stdout, sys.stderr), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    let_pass()
    to_each_his_own()
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
        root.handlers[:] = handlers
        root.setLevel(level)
