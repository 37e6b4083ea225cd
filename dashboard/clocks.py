"""How times are written for who reads this page: said once for a request, asked by every formatter."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """Twelve hours or twenty-four, and whether some times count on."""

    twelve: bool = False
    relative: bool = True

    def time(self, local: datetime, *, seconds: bool) -> str:
        """The time of day."""
        if self.twelve:
            return f"{local:%-I:%M:%S %p}" if seconds else f"{local:%-I:%M %p}"
        return f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"


_clock: ContextVar[Clock] = ContextVar("clock", default=Clock())  # noqa: B039  it is frozen


@contextmanager
def using(clock: Clock) -> Iterator[None]:
    before = _clock.set(clock)
    try:
        yield
    finally:
        _clock.reset(before)


def current() -> Clock:
    return _clock.get()
