"""Tasks the test knows: registered as a cluster registers them when it starts."""

from collections.abc import Callable, Sequence
from typing import Any

from engine import catalog
from engine.launching import StoredRuns
from engine.registry import registry
from engine.runtime import Launch, Launched
from engine.sdk.blocking import blocking
from engine.testing.stubs import Stub
from engine.testing.worker import VERSION
from runs import lifecycle
from runs.errors import InvalidOption
from runs.lifecycle import definitions
from runs.models import Task


class Enrolment:
    """Keeps the stored tasks as the code of the test has them."""

    def __init__(self, stubs: dict[str, Stub]) -> None:
        self._stubs = stubs
        self._known: dict[str, list[Any]] = {}

    def register(self) -> None:
        """Store what is new or has changed."""
        rows = [catalog.healthy_row(task, VERSION) for task in registry]
        changed = [row for row in rows if catalog.facts(row) != self._known.get(row.pk)]
        if changed:
            catalog.write_tasks(changed, [])
            catalog.declare_queues(list(registry))
            self._known |= {row.pk: catalog.facts(row) for row in changed}
            lifecycle.unpark([row.pk for row in changed])

    def meet(self, launches: Sequence[Launch]) -> None:
        """Before runs are made. Raises InvalidOption for a task that is not known here."""
        for launch in launches:
            if registry.get(launch.task_id) is None and launch.task_id not in self._stubs:
                raise InvalidOption("task", why_unknown(launch.task_id))
        if any(launch.task_id not in self._known for launch in launches):
            self.register()

    def replace(self, stub: Stub) -> None:
        """A stub stands in for its task, which other code may define."""
        self._stubs[stub.task_id] = stub
        if registry.get(stub.task_id) is None:
            queue = definitions.own_queue(stub.task_id)
            definitions.queue_id(queue, task_id=stub.task_id)
            catalog.write_tasks([Task(id=stub.task_id, queue=queue, version=VERSION)], [])
            definitions.forget()


class LocalRuns(StoredRuns):
    """Makes runs as ever, of tasks the test knows."""

    def __init__(self, meet: Callable[[Sequence[Launch]], None]) -> None:
        self._meet = meet

    def trigger_many(self, launches: Sequence[Launch]) -> list[Launched]:
        with blocking():
            self._meet(launches)
        return super().trigger_many(launches)


def why_unknown(task_id: str) -> str:
    """Why a task cannot be run here, and what to do."""
    error = registry.why_broken(task_id)
    if error is not None:
        return f"The file of task “{task_id}” failed to import.\n{error}"
    known = ", ".join(task.id for task in registry) or "none"
    return (
        f"No task “{task_id}” is known here. Import the module that defines it, name its directory in "
        f'TRACKSIDE["TASK_DIRS"], or replace it: trackside.stub("{task_id}", returns=...). '
        f"Known: {known:.500}."
    )
