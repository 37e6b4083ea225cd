"""One thing that was looked at, and looking at all of them."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db import DatabaseError, InterfaceError

from runs.reads.deadline import TooSlow, deadline

log = logging.getLogger("trackside")

#: How a point stands, the worst first. NOTE is worth knowing, and nothing is wrong.
BAD, WARN, NOTE, OK = "bad", "warn", "note", "ok"
TONES = (BAD, WARN, NOTE, OK)
#: Seconds one look may take.
PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class Point:
    """What it is, how it stands and with which numbers, and what to do about it."""

    key: str
    name: str
    tone: str
    text: str
    todo: str = ""
    #: Name of the page that shows more.
    page: str = ""
    #: Every page says so while it is bad.
    is_loud: bool = True


Look = Callable[[], Iterable[Point]]


def looked(looks: Iterable[Look]) -> list[Point]:
    """All points, in their order; a look that fails is a point itself."""
    return [point for look in looks for point in _guarded(look)]


def worst(points: Iterable[Point]) -> str:
    found = {point.tone for point in points}
    return next((tone for tone in TONES if tone in found), OK)


def at_least(tone: str, points: Iterable[Point]) -> list[Point]:
    """Those that stand as bad as that, or worse."""
    wanted = TONES[: TONES.index(tone) + 1]
    return [point for point in points if point.tone in wanted]


def _guarded(look: Look) -> list[Point]:
    name = look.__name__.replace("_", " ").capitalize()
    try:
        with deadline(PATIENCE):
            return list(look())
    except TooSlow:
        problem = "Looking at it took too long: the database is slow."
    except (DatabaseError, InterfaceError) as error:
        log.warning("A look at %s failed: %s", look.__name__, str(error).split("\n")[0])
        problem = "The database refused to tell; the log says why."
    return [Point(look.__name__, name, WARN, problem, "Look at the database server.")]
