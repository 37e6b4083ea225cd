"""Stacked bars as numbers for SVG attributes: no script, no inline style, no library."""

from dataclasses import dataclass

from runs.reads.activity import Activity, Hour

WIDTH, GAP, HEIGHT = 5, 1, 24
#: A single run among thousands is still a line on screen.
LEAST = 1.5


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour: its place, and (tone, y, height) from the bottom up, failures on top."""

    x: int
    hour: Hour
    parts: list[tuple[str, float, float]]


def bars(activity: Activity) -> list[Bar]:
    """The hours of `activity`, scaled to their own peak."""
    peak = activity.peak or 1
    return [
        Bar(index * (WIDTH + GAP), hour, _stack(hour, peak))
        for index, hour in enumerate(activity.hours)
    ]


def _stack(hour: Hour, peak: int) -> list[tuple[str, float, float]]:
    parts = []
    top = float(HEIGHT)
    for tone, count in (("ok", hour.completed), ("idle", hour.other), ("bad", hour.failed)):
        if count:
            height = min(top, max(LEAST, count / peak * HEIGHT))
            top -= height
            parts.append((tone, round(top, 1), round(height, 1)))
    return parts
