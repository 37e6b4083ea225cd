"""Two runs, or two attempts, side by side."""

from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from dashboard import presenters
from dashboard.pages import compare_sides, compare_stacks, compare_texts, shell
from dashboard.pages.compare_sides import Side
from dashboard.pages.page import page
from runs.models import Run
from runs.reads import comparisons
from runs.reads.comparisons import Comparison, Place
from runs.reads.deadline import TooSlow, deadline

PATIENCE = 1.0
DOCUMENTS = (("payload", "Payload"), ("output", "Output"), ("metadata", "Metadata"))
#: Runs of the same task the picker offers.
OFFERED = 8


@page()
def compare(request: HttpRequest) -> HttpResponse:
    texts = {name: request.GET.get(name, "").replace("\x00", "").strip()[:60] for name in "ab"}
    now = timezone.now()
    try:
        sides = {
            name: compare_sides.side(Place.parse(text), now) for name, text in texts.items() if text
        }
    except Http404 as error:
        return _pick(request, texts, {}, str(error))
    if len(sides) < 2:
        return _pick(request, texts, sides)
    return shell.render(request, "dashboard/compare/index.html", _compared(request, **sides))


def address(found: Comparison) -> str:
    """Where a comparison stands."""
    return reverse("dashboard:compare") + "?" + urlencode({"a": str(found.a), "b": str(found.b)})


def suggested(run: Run) -> list[tuple[str, str]]:
    """Words and addresses of what a run is worth comparing with."""
    try:
        with deadline(PATIENCE):
            return [(one.words, address(one)) for one in comparisons.of(run)]
    except TooSlow:
        return []


def _compared(request: HttpRequest, a: Side, b: Side) -> dict[str, Any]:
    found = compare_sides.facts(a, b)
    differing = [fact for fact in found if fact.differs]
    everything = request.GET.get("all") == "1"
    same_run = a.run.pk == b.run.pk
    asked = {"a": str(a.place), "b": str(b.place)}
    return {
        "a": a,
        "b": b,
        "moments": compare_sides.moments(a, b),
        "facts": found if everything else differing,
        "differing": len(differing),
        "same": len(found) - len(differing),
        "everything": everything,
        "toggle": urlencode(asked if everything else asked | {"all": "1"}),
        "swapped": compare_sides.swapped(a.place, b.place),
        "same_run": same_run,
        "documents": [] if same_run else _documents(a, b),
        "stacks": compare_stacks.stacks(a.failure, b.failure),
        "timeline": compare_stacks.timeline(a, b),
        "others": [one for one in suggested(b.run) if urlencode(asked) not in one[1]],
    }


def _documents(a: Side, b: Side) -> list[compare_texts.Difference]:
    found = [
        compare_texts.difference(title, name, getattr(a.run, name), getattr(b.run, name))
        for name, title in DOCUMENTS
    ]
    return [one for one in found if one is not None]


def _pick(
    request: HttpRequest, texts: dict[str, str], sides: dict[str, Side], problem: str = ""
) -> HttpResponse:
    """Asks for what is missing; offers what suits what is there."""
    known = next(iter(sides.values()), None)
    context = {
        "texts": texts,
        "known": known,
        "problem": problem,
        "suggested": suggested(known.run) if known else [],
        "recent": _recent(known) if known else [],
    }
    status = 400 if problem else 200
    return shell.render(request, "dashboard/compare/pick.html", context, status=status)


def _recent(known: Side) -> list[tuple[Run, presenters.Look, str]]:
    """The newest runs of the same task."""
    runs = Run.objects.light().filter(task_id=known.run.task_id).exclude(pk=known.run.pk)
    return [
        (run, presenters.look(run), address(Comparison("", Place(run.pk), known.place)))
        for run in runs.order_by("-id")[:OFFERED]
    ]
