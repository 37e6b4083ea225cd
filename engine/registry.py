"""Every task this process knows: id to definition, filled by the `@task` decorator."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.sdk.tasks import Task


class ConflictingTasks(Exception):
    """Two tasks want the same; nothing starts until one of them is changed."""


class DuplicateTaskIds(ConflictingTasks):
    """Two tasks share an id; names both places."""

    def __init__(self, task_id: str, first: str, second: str) -> None:
        super().__init__(
            f"Two tasks have the id “{task_id}”: {first} and {second}. Give one of them another id."
        )
        self.task_id, self.first, self.second = task_id, first, second


class DuplicateWebhooks(ConflictingTasks):
    """Two tasks share a webhook's path; names both."""

    def __init__(self, path: str, first: "Task[Any, Any]", second: "Task[Any, Any]") -> None:
        places = f"“{first.id}” at {first.source} and “{second.id}” at {second.source}"
        super().__init__(
            f"Two tasks have the webhook path “{path}”: {places}. Give one of them another path."
        )
        self.path, self.first, self.second = path, first.id, second.id


class Registry:
    """Tasks by id, and the ids whose file failed to import with the traceback."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task[Any, Any]] = {}
        self._broken: dict[str, str] = {}

    def add(self, task: "Task[Any, Any]") -> None:
        """Register `task`. The same definition imported again replaces itself."""
        known = self._tasks.get(task.id)
        if known is not None and known.source != task.source:
            raise DuplicateTaskIds(task.id, str(known.source), str(task.source))
        if task.webhook is not None:
            self._refuse_shared(task, task.webhook.path)
        self._tasks[task.id] = task
        self._broken.pop(task.id, None)

    def _refuse_shared(self, task: "Task[Any, Any]", path: str) -> None:
        for other in self:
            if other.webhook and other.webhook.path == path and other.id != task.id:
                raise DuplicateWebhooks(path, other, task)

    def get(self, task_id: str) -> "Task[Any, Any] | None":
        """The task of that id, or None if this process does not have it."""
        return self._tasks.get(task_id)

    def mark_broken(self, task_id: str, error: str) -> None:
        """Take the task out and remember why it cannot run."""
        self._tasks.pop(task_id, None)
        self._broken[task_id] = error

    def why_broken(self, task_id: str) -> str | None:
        """The traceback of the import that should have brought this task, if that failed."""
        return self._broken.get(task_id)

    def clear(self) -> None:
        """Forget everything; for tests."""
        self._tasks.clear()
        self._broken.clear()

    def __iter__(self) -> "Iterator[Task[Any, Any]]":
        return iter([self._tasks[task_id] for task_id in sorted(self._tasks)])

    def __len__(self) -> int:
        return len(self._tasks)


registry = Registry()
