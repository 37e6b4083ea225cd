"""When a failed run is tried again: pure maths (features.md 4.1).

Tasks are defined with it (`engine.retry`) and the lifecycle retries crashes by it.
"""

import math
import random as chance
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from runs.durations import seconds
from runs.errors import InvalidOption

#: No run is tried more often than this, whatever its options say (RET-5).
HARD_CAP = 250
#: The reference's names in milliseconds, accepted beside ours in seconds.
ALIASES = {"min_timeout_in_ms": "min_timeout", "max_timeout_in_ms": "max_timeout"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often, and after how many seconds, a failed run is tried again.

    `max_attempts` counts every try, the first included. `out_of_memory_machine` is the preset a
    run that ran out of memory is tried on once more; empty means it is not.
    """

    max_attempts: int = 3
    factor: float = 2.0
    min_timeout: float = 1.0
    max_timeout: float = 60.0
    randomize: bool = True
    out_of_memory_machine: str = ""

    def __post_init__(self) -> None:
        _check_attempts(self.max_attempts)
        _check_factor(self.factor)
        for name in ("min_timeout", "max_timeout"):
            object.__setattr__(self, name, seconds(getattr(self, name), f"retry.{name}"))

    def delay(
        self, attempt_number: int, random: Callable[[], float] = chance.random
    ) -> float | None:
        """Seconds to wait after try `attempt_number` failed (RET-3); None when none is left.

        Whole milliseconds. `random` yields numbers in [0, 1). Jitter only lengthens, and the cap
        comes after it.
        """
        if attempt_number >= min(self.max_attempts, HARD_CAP):
            return None
        jitter = 1.0 + random() if self.randomize else 1.0
        wanted = jitter * self.min_timeout * self._growth(attempt_number - 1)
        return math.floor(min(self.max_timeout, wanted) * 1000 + 0.5) / 1000

    def _growth(self, exponent: int) -> float:
        try:
            return float(self.factor**exponent)
        except OverflowError:
            return math.inf if self.min_timeout else 0.0

    def to_json(self) -> dict[str, Any]:
        """The policy as the `retry` object of a Task row's config."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """The policy of a `retry` object; what it leaves out is the default, the rest ignored."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in known})


def _check_attempts(value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= HARD_CAP:
        raise InvalidOption(
            "retry.max_attempts", f"retry.max_attempts must be 1 to {HARD_CAP}; got {value!r}."
        )


def _check_factor(value: object) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= value <= 1e6:  # type: ignore[operator]
        raise InvalidOption("retry.factor", f"retry.factor must be 0 to 1000000; got {value!r}.")
