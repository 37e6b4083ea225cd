"""When a failed run is tried again: pure maths (features.md 4.1).

Tasks are defined with it (`engine.retry`) and the lifecycle retries crashes by it.
"""

import math
import random as chance
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self, cast

from runs.durations import seconds
from runs.errors import InvalidOption

#: A kind of exceptions: a class, or the name of one.
Kind = type[BaseException] | str
FILTERS = ("only", "never")
#: No run is tried more often than this, whatever its options say (RET-5).
HARD_CAP = 250
#: The reference's names in milliseconds, accepted beside ours in seconds.
ALIASES = {"min_timeout_in_ms": "min_timeout", "max_timeout_in_ms": "max_timeout"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often, and after how many seconds, a failed run is tried again.

    `max_attempts` counts every try, the first included. `out_of_memory_machine` is the preset a
    run that ran out of memory is tried on once more; empty means it is not. With `only`, errors
    of these kinds alone are retried; those of `never` are not. A kind is an exception class, or the
    name of one, with or without its module.
    """

    max_attempts: int = 3
    factor: float = 2.0
    min_timeout: float = 1.0
    max_timeout: float = 60.0
    randomize: bool = True
    out_of_memory_machine: str = ""
    only: tuple[Kind, ...] = ()
    never: tuple[Kind, ...] = ()

    def __post_init__(self) -> None:
        _check_attempts(self.max_attempts)
        _check_factor(self.factor)
        for name in ("min_timeout", "max_timeout"):
            object.__setattr__(self, name, seconds(getattr(self, name), f"retry.{name}"))
        for name in FILTERS:
            object.__setattr__(self, name, _kinds(name, getattr(self, name)))

    def delay(self, attempt_number: int, random: Callable[[], float] | None = None) -> float | None:
        """Seconds to wait after try `attempt_number` failed (RET-3); None when none is left.

        Whole milliseconds. `random` yields numbers in [0, 1). Jitter only lengthens, and the cap
        comes after it.
        """
        if attempt_number >= min(self.max_attempts, HARD_CAP):
            return None
        jitter = 1.0 + (random or chance.random)() if self.randomize else 1.0
        wanted = jitter * self.min_timeout * self._growth(attempt_number - 1)
        return math.floor(min(self.max_timeout, wanted) * 1000 + 0.5) / 1000

    def _growth(self, exponent: int) -> float:
        try:
            return float(self.factor**exponent)
        except OverflowError:
            return math.inf if self.min_timeout else 0.0

    def to_json(self) -> dict[str, Any]:
        """The policy as the `retry` object of a Task row's config; crashes have no exception."""
        return {name: value for name, value in asdict(self).items() if name not in FILTERS}

    def allows(self, error: BaseException) -> bool:
        """Whether errors of this kind are retried."""
        wanted = not self.only or any(is_a(error, kind) for kind in self.only)
        return wanted and not any(is_a(error, kind) for kind in self.never)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """The policy of a `retry` object; what it leaves out is the default, the rest ignored."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in known})


def is_a(error: BaseException, kind: Kind) -> bool:
    """Whether the error, or any member of a group, is of a kind."""
    if isinstance(error, BaseExceptionGroup) and any(is_a(one, kind) for one in error.exceptions):
        return True
    if isinstance(kind, type):
        return isinstance(error, kind)
    names = (
        (base.__name__, f"{base.__module__}.{base.__qualname__}") for base in type(error).__mro__
    )
    return any(kind in both for both in names)


def _kinds(name: str, given: object) -> tuple[Kind, ...]:
    kinds = tuple(given) if isinstance(given, (list, tuple, set, frozenset)) else (given,)
    for kind in kinds:
        is_class = isinstance(kind, type) and issubclass(kind, BaseException)
        if not is_class and not (isinstance(kind, str) and kind):
            raise InvalidOption(
                f"retry.{name}",
                f"retry.{name} is a list of exception classes or their names; got {kind!r:.80}.",
            )
    return cast("tuple[Kind, ...]", kinds)


def _check_attempts(value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= HARD_CAP:
        raise InvalidOption(
            "retry.max_attempts", f"retry.max_attempts must be 1 to {HARD_CAP}; got {value!r}."
        )


def _check_factor(value: object) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= value <= 1e6:  # type: ignore[operator]
        raise InvalidOption("retry.factor", f"retry.factor must be 0 to 1000000; got {value!r}.")
