"""What tests of the engine make attempts of."""

from datetime import UTC, datetime

from engine.execution.assignment import Assignment
from engine.execution.executor import execute
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

    def __init__(self, *entries):
        self.entries = list(entries)

    def remembered(self):
        return Remembered(self.entries, {})

    def children(self):
        return []

    def record(self, entries):
        self.entries += entries


def carry_out(task, payload=None, *, control=None, sink=None, keeper=None, **facts):
    """Execute one attempt of a task."""
    facts = {"attempt": 1, "max_attempts": 3} | facts
    assignment = Assignment(run_id="run_1", task_id=task.id, payload=payload, **facts)
    return execute(assignment, sink or Sink(), control or Calm(), keeper=keeper)
