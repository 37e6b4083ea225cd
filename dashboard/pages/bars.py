"""Stacked bars as SVG paths: no script, no inline style, no library."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from dashboard.presenters import LOOKS, STATUS_ORDER
from runs.reads.tally import Tally
from runs.states import FINAL, LEASED, RunStatus

WIDTH, GAP, HEIGHT = 5, 1, 24
#: A single run among thousands is still a line on screen.
LEAST = 1.5
UNDER_WAY = LEASED | {RunStatus.WAITING}


def bars(hours: Sequence[Tally]) -> tuple[tuple[str, str], ...]:
    """(tone, path) of what ended in each hour, scaled to their peak; one path draws a tone."""
    peak = max((hour.ended for hour in hours), default=0) or 1
    paths: dict[str, str] = {}
    for index, hour in enumerate(hours):
        for tone, y, height in _stack(hour, peak):
            bar = f"M{index * (WIDTH + GAP)} {y:g}h{WIDTH}v{height:g}h-{WIDTH}z"
            paths[tone] = paths.get(tone, "") + bar
    return tuple(paths.items())


def _stack(hour: Tally, peak: int) -> Iterator[tuple[str, float, float]]:
    """Tone, y and height from the bottom up, failures on top."""
    top = float(HEIGHT)
    for tone, count in (("ok", hour.completed), ("idle", hour.canceled), ("bad", hour.bad)):
        if count:
            height = min(top, max(LEAST, count / peak * HEIGHT))
            top -= height
            yield tone, round(top, 1), round(height, 1)


def strip(counts: Mapping[str, int]) -> tuple[tuple[str, str], ...]:
    """(tone, path) of how far runs are, side by side: those that ended, then those under way.

    What has not begun is the empty rest.
    """
    begun = [status for status in STATUS_ORDER if status in FINAL]
    begun += [status for status in STATUS_ORDER if status in UNDER_WAY]
    return shares(
        [(LOOKS[status].tone, counts.get(status, 0)) for status in begun], sum(counts.values())
    )


def shares(parts: Iterable[tuple[str, int]], whole: int) -> tuple[tuple[str, str], ...]:
    """(tone, path) of each part of a whole that is not empty, side by side in a hundred."""
    at, paths = 0.0, []
    for tone, count in parts:
        if count:
            width = count / whole * 100
            paths.append((tone, f"M{at:.3g} 0h{width:.3g}v6h-{width:.3g}z"))
            at += width
    return tuple(paths)
