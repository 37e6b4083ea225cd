"""Tasks that a test replaces: their runs are recorded and end as the test says."""

from collections.abc import Callable
from typing import Any

from engine.execution.failures import describe
from engine.sdk import values
from engine.testing.problems import TracksideError
from runs import payloads
from runs.lifecycle import attempts, store


class Stub:
    """Stands in for a task. `calls` are the payloads of its runs, in order."""

    def __init__(
        self,
        task_id: str,
        returns: Any = None,
        raises: BaseException | type[BaseException] | str | None = None,
        does: Callable[[Any], Any] | None = None,
    ) -> None:
        if (returns is not None) + (raises is not None) + (does is not None) > 1:
            raise TracksideError(
                f"stub({task_id!r}) takes one of returns=, raises= and does=: what its runs return, "
                "what they raise, or a function of the payload that does either."
            )
        self.task_id, self.returns, self.does = task_id, returns, does
        self.raises: Any = RuntimeError(raises) if isinstance(raises, str) else raises
        self.calls: list[Any] = []

    @property
    def call_count(self) -> int:
        """How many of its runs were executed."""
        return len(self.calls)

    def ending(self, work: store.Assignment) -> store.Ending:
        """How a run of the task ends: without its body, its hooks and further attempts."""
        payload = None if work.payload is None else payloads.loads(work.payload)
        self.calls.append(payload)
        try:
            if self.raises is not None:
                raise self.raises
            made = self.returns if self.does is None else self.does(payload)
        except Exception as error:
            return attempts.fail(work.run_id, work.token, describe(error), hooked=True)
        return attempts.complete(work.run_id, work.token, text_of(made))


def text_of(value: Any) -> str | None:
    """The output as JSON text."""
    return None if value is None else values.dumps(value)
