"""Downloads of what a run holds, byte for byte."""

import json
from collections.abc import Iterator

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone

from dashboard import permissions, sight, veiled
from dashboard.pages.page import page
from dashboard.pages.run_finding import find
from runs.models import LogLine, Run

COLUMNS = ("payload", "output", "metadata", "error")


@page(permissions.READ)
def document(request: HttpRequest, run_id: str, name: str) -> HttpResponse:
    run = find(run_id)
    values = Run.objects.filter(pk=run.pk).values_list(*COLUMNS).get()
    text = dict(zip(COLUMNS, values, strict=True)).get(name)
    if text is None:
        raise Http404(f"This run has no {name}.")
    response = HttpResponse(sight.document(text, name), content_type="application/json")
    return attached(response, f"{run.id}-{name}.json")


@page(permissions.READ)
def logs(request: HttpRequest, run_id: str) -> HttpResponse:
    run = find(run_id)
    lines = LogLine.objects.filter(run_id=run.id).order_by("id")
    # a run's log is bounded per attempt, so the whole of it fits in memory
    response = HttpResponse(_text(lines.iterator(2000)), content_type="text/plain; charset=utf-8")
    return attached(response, f"{run.id}-logs.txt")


@page(permissions.READ)
def spans(request: HttpRequest, run_id: str) -> HttpResponse:
    """The trace as JSON Lines, each row before what is in it."""
    run = find(run_id)
    response = HttpResponse(_rows(run), content_type="application/jsonl")
    return attached(response, f"{run.id}-trace.jsonl")


def _rows(run: Run) -> Iterator[str]:
    """Page by page; what has no row of its own comes with the first."""
    now, after, has_more, told = timezone.now(), 0, True, set[str]()
    while has_more:
        found = veiled.trace(run, now, after)
        for node in found.rows:
            if node.id not in told:
                yield json.dumps(node.facts) + "\n"
        told |= {node.id for node in found.rows if node.kind in ("run", "queue", "attempt")}
        after, has_more = found.last, found.has_more


def attached(response: HttpResponse, name: str) -> HttpResponse:
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _text(lines: Iterator[LogLine]) -> Iterator[str]:
    for line in lines:
        yield line_of(line) + "\n"


def line_of(line: LogLine) -> str:
    """As the download has it, as far as it may be read."""
    said = sight.text(line.message)
    return f"{line.at.isoformat()} #{line.attempt} {line.level:>2} {line.logger}: {said}"
