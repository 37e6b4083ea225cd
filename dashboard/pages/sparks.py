"""Charts for a cell of a table: a line, a strip of outcomes, a gauge. Their sentence is all they say.

See `dashboard.pages.charts`, and show them with `{% spark one %}`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from dashboard.pages.scales import round_up


@dataclass(frozen=True, slots=True)
class Spark:
    """A small picture. Bars and slots are (tone, path), drawn in a box of `width` by 24."""

    summary: str
    width: int
    paths: tuple[tuple[str, str], ...] = ()
    line: str = ""
    tone: str = "active"
    css: str = "line"


def spark(values: Sequence[float | None], summary: str, *, tone: str = "active") -> Spark:
    """A line over a filled ground; None breaks it."""
    most = round_up(max((value for value in values if value is not None), default=0))
    line, ground = "", ""
    for stretch in _stretches(values):
        points = [(x, f"{x:.1f} {23 - value / most * 22:.1f}") for x, value in stretch]
        path = "L".join(text for _, text in points)
        line += f"M{path}" + ("h1" if len(points) == 1 else "")
        ground += f"M{path}V24H{points[0][0]:.1f}z"
    return Spark(summary, 100, ((tone, ground),) if ground else (), line, tone)


def ticked(one: Spark, places: Sequence[int], of: int) -> Spark:
    """With ticks at some of its places, as where a limit held."""
    if not places:
        return one
    apart = 100 / max(of - 1, 1)
    ticks = "".join(f"M{place * apart - 0.5:.1f} 0h1v4h-1z" for place in places)
    words = f"{one.summary}; held back by its limit in {len(places)} minutes"
    return replace(one, summary=words, paths=(*one.paths, ("warn", ticks)))


def _stretches(values: Sequence[float | None]) -> Iterator[list[tuple[float, float]]]:
    """Places and values that follow one another without a gap."""
    apart = 100 / max(len(values) - 1, 1)
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    for _, some in groupby(enumerate(known), key=lambda entry: entry[1][0] - entry[0]):
        yield [(place * apart, value) for _, (place, value) in some]


#: Of a strip: how high a slot stands, so that a failure is seen without its colour.
SHAPES = {"ok": (6, 18), "bad": (0, 24), "warn": (3, 21), "active": (9, 15), "idle": (12, 12)}


def outcomes(tones: Sequence[str], summary: str) -> Spark:
    """A slot for each of the last times, the oldest first: ok, bad, warn, active, idle; "" is a gap."""
    paths: dict[str, str] = {}
    for place, tone in enumerate(tones):
        if tone:
            y, height = SHAPES[tone]
            slot = f"M{place * 6} {y}h4v{height}h-4z"
            paths[tone] = paths.get(tone, "") + slot
    return Spark(summary, max(len(tones) * 6 - 2, 1), tuple(paths.items()), css="slots")


def gauge(value: float, limit: float | None, summary: str) -> Spark:
    """How full it is; without a limit, an empty track. Full is `warn`, over the limit `bad`."""
    if not limit:
        tone = "warn" if limit == 0 and value else "active"
        return Spark(summary, 100, css="gauge", tone=tone)
    share = min(1.0, value / limit) * 100
    tone = "bad" if value > limit else "warn" if value >= limit else "active"
    return Spark(summary, 100, ((tone, f"M0 0h{share:g}v24h-{share:g}z"),), tone=tone, css="gauge")
