"""What a trigger gives back."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from engine.runtime import Launched

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Handle(Generic[R]):
    """The run a trigger made, or with `is_cached` an earlier one.

    That was found by the idempotency key or the debounce; with `is_skipped` the task's overlap policy
    let it stand for this trigger. `is_held`: the run waits until runs of its task have ended.
    """

    id: str
    task_id: str
    is_cached: bool = False
    is_skipped: bool = False
    is_held: bool = False


def handle(task_id: str, done: Launched) -> Handle[Any]:
    return Handle(done.run_id, task_id, done.is_cached, done.is_skipped, done.is_held)


class BatchHandle(list[Handle[R]]):
    """The runs a batch made, in input order, and the batch's `id`.

    With `is_cached` the batch's own idempotency key found it, and nothing was made.
    """

    def __init__(self, id: str, runs: list[Handle[R]], *, is_cached: bool = False) -> None:  # noqa: A002
        super().__init__(runs)
        self.id, self.is_cached = id, is_cached

    def __repr__(self) -> str:
        return f"<Batch {self.id} of {len(self)} runs>"
