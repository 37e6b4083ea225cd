"""What may go wrong around Trackside, with where and what to do about it."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from dashboard.pages import settings
from dashboard.pages.page import page
from runs.health import all as health
from runs.health.points import BAD, NOTE, OK, TONES, WARN, Point

#: By tone: a word, the glyph beside it and the tone of pages.
WORDS = {
    BAD: ("Bad", "system-failure", "bad"),
    WARN: ("To look at", "delayed", "warn"),
    NOTE: ("Note", "tip", "idle"),
    OK: ("Well", "tick", "ok"),
}


#: What so many of them are, above the list.
SUMMED = {BAD: "bad", WARN: "to look at"}


@page()
def index(request: HttpRequest) -> HttpResponse:
    """Looked at anew each time; the worst first within its group."""
    found = health.groups()
    points = [point for those in found.values() for point in those]
    groups = [
        (name, [(point, *WORDS[point.tone]) for point in sorted(those, key=_badness)])
        for name, those in found.items()
    ]
    counts = [
        ((words, *WORDS[tone][1:]), sum(point.tone == tone for point in points))
        for tone, words in SUMMED.items()
    ]
    context = {
        "groups": groups,
        "counts": counts,
        "is_well": not any(number for _, number in counts),
        "count": len(points),
        "now": timezone.now(),
    }
    return settings.render(request, "health", "dashboard/health/index.html", context)


def _badness(point: Point) -> int:
    return TONES.index(point.tone)
