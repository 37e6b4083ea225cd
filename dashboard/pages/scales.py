"""The y axis of a chart: round numbers at three places, and how high a value stands."""

from collections.abc import Callable
from dataclasses import dataclass
from math import floor, log10

STEPS = (1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10)
#: Halves of these are whole.
ONES = (1, 2, 4, 6, 8, 10)


@dataclass(frozen=True, slots=True)
class Scale:
    """From 0 to `top`."""

    top: float
    #: At the top, the middle and the bottom.
    ticks: tuple[str, ...]

    def share(self, value: float) -> float:
        """Percent of the height."""
        return min(100.0, max(0.0, value / self.top * 100))


def scale(most: float, form: Callable[[float | None], str]) -> Scale:
    top = round_up(most)
    ticks = tuple(dict.fromkeys((form(top), form(top / 2), form(0))))
    # halves of a whole number would be written as the number above or below
    shown = ticks if len(ticks) == 3 and top != 1 else (form(top), "", form(0))
    return Scale(top, shown)


def round_up(value: float) -> float:
    """The next number that is short to write, and its half too; 1 for nothing."""
    if value <= 0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    steps = ONES if power == 1 else STEPS
    return next(step * power for step in steps if step * power >= value * 0.999999)


def count_text(value: float | None) -> str:
    """ "1,204"; from a hundred thousand on "120k", "1.2M"."""
    if value is None:
        return "–"
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if abs(value) >= max(size, 100_000):
            return f"{value / size:.1f}".removesuffix(".0") + letter
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def percent_text(value: float | None) -> str:
    """Of a share from 0 to 1."""
    if value is None:
        return "–"
    return f"{value:.0%}" if value >= 0.1 or value == 0 else f"{value:.1%}"
