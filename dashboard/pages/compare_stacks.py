"""Two stacks beside each other, and two timelines above each other."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest

from dashboard import presenters
from dashboard.pages.compare_sides import Side
from dashboard.pages.tracebacks import Failure, Frame
from runs.models import Attempt

MOST = 60


@dataclass(frozen=True, slots=True)
class Pair:
    """A frame of each; `kind` is same, first (where they part) or other."""

    kind: str
    a: Frame | None
    b: Frame | None


@dataclass(frozen=True, slots=True)
class Stacks:
    """Both stacks, outermost frame first."""

    pairs: list[Pair]
    said: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of a lane, in percent of the longer one."""

    x: str
    width: str
    tone: str
    title: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """Two lanes on one scale, both from the moment they joined their queue, or began."""

    lanes: list[tuple[str, list[Bar]]]
    ticks: tuple[str, ...]
    said: str


def stacks(a: Failure | None, b: Failure | None) -> Stacks | None:
    """None where at most one of them failed."""
    if a is None or b is None:
        return None
    same = _common(a.frames, b.frames)
    pairs = [
        Pair("same" if at < same else "first" if at == same else "other", one, other)
        for at, (one, other) in enumerate(zip_longest(a.frames, b.frames))
    ][:MOST]
    if not pairs:
        return None
    if same == len(pairs):
        return Stacks(pairs, "The same frames.")
    return Stacks(
        pairs, f"The first {same} frames are the same; frame {same + 1} is the first that differs."
    )


def _common(a: list[Frame], b: list[Frame]) -> int:
    for at, (one, other) in enumerate(zip(a, b, strict=False)):
        if (one.file, one.function, one.line) != (other.file, other.function, other.line):
            return at
    return min(len(a), len(b))


def timeline(a: Side, b: Side) -> Timeline | None:
    """None before either of them began."""
    lanes = [(_origin(one), list(_stretches(one))) for one in (a, b)]
    ends = [end - origin for origin, stretches in lanes for _, end, _, _ in stretches]
    longest = max(ends, default=timedelta())
    if not longest:
        return None
    bars = [
        (name, [_bar(stretch, origin, longest) for stretch in stretches])
        for name, (origin, stretches) in zip("AB", lanes, strict=True)
    ]
    half = presenters.duration_text(longest / 2)
    said = "; ".join(
        f"{name}: {', '.join(title for _, _, _, title in stretches) or 'not begun'}"
        for name, (_, stretches) in zip("AB", lanes, strict=True)
    )
    return Timeline(bars, ("0", half, presenters.duration_text(longest)), said)


Stretch = tuple[datetime, datetime, str, str]


def _origin(one: Side) -> datetime:
    if one.place.attempt and one.attempt:
        return one.attempt.started_at
    return one.run.queued_at or one.run.created_at


def _stretches(one: Side) -> Iterator[Stretch]:
    """When it waited in its queue, and its attempts."""
    run = one.run
    if one.place.attempt:
        shown = [one.attempt] if one.attempt else []
    else:
        shown = one.attempts
        queued, began = run.queued_at, run.started_at or run.finished_at or one.now
        if queued is not None and began > queued:
            waited = presenters.duration_text(began - queued)
            yield queued, began, "idle", f"waited {waited} in its queue"
    for attempt in shown:
        yield _attempt(attempt, one.now)


def _attempt(attempt: Attempt, now: datetime) -> Stretch:
    end = max(attempt.finished_at or now, attempt.started_at)
    look = presenters.attempt_look(attempt)
    took = presenters.duration_text(end - attempt.started_at)
    title = f"attempt {attempt.number} {look.word.lower()} after {took}"
    return attempt.started_at, end, look.tone, title


def _bar(stretch: Stretch, origin: datetime, longest: timedelta) -> Bar:
    start, end, tone, title = stretch
    x, width = (start - origin) / longest * 100, (end - start) / longest * 100
    return Bar(f"{max(x, 0):.2f}", f"{max(width, 0.3):.2f}", tone, title)
