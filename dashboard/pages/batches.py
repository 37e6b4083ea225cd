"""Batches: the list, and one of them with its progress."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from dashboard import presenters, sight
from dashboard.pages import bars, live, shell
from dashboard.pages.page import page
from dashboard.pages.run_query import RunQuery
from dashboard.presenters import LOOKS, STATUS_ORDER, Look
from runs.models import Batch, Run
from runs.models.batch import BatchQuerySet, Problem
from runs.reads import batches as reads
from runs.reads.batches import Progress
from runs.states import UNSUCCESSFUL

PAGE = 50
#: Runs shown on a batch's own page.
SHOWN = 100


@dataclass(frozen=True, slots=True)
class Row:
    """A batch and how far it is."""

    batch: Batch
    look: Look
    progress: Progress
    strip: tuple[tuple[str, str], ...]
    ended_at: datetime | None

    @property
    def took(self) -> timedelta:
        """From its trigger to the end of its last run, or until now."""
        return max((self.ended_at or timezone.now()) - self.batch.created_at, timedelta())


@page()
def index(request: HttpRequest) -> HttpResponse:
    before = request.GET.get("before", "")[:100]
    found = list(_older(Batch.objects.newest_first(), before)[: PAGE + 1])
    rows = _rows(found[:PAGE])
    context = {
        "rows": rows,
        "before": before,
        "older": _place(found[PAGE - 1]) if len(found) > PAGE else "",
        "token": live.token(*[(row.batch.pk, row.progress) for row in rows]),
    }
    return shell.render_live(
        request, "dashboard/batches/index.html", "dashboard/batches/_table.html", context
    )


@page()
def detail(request: HttpRequest, batch_id: str) -> HttpResponse:
    batch = reads.find(batch_id)
    (row,) = _rows([batch])
    runs = _runs(batch)
    context = {
        "row": row,
        "batch": batch,
        "counts": _counts(row),
        "runs": runs,
        "query": RunQuery(batch=batch.pk).encode(),
        "failed": RunQuery(status=tuple(sorted(UNSUCCESSFUL))).encode(),
        "refused": [_shown(problem) for problem in batch.problem_list],
        "hidden": max(_made(row) - len(runs), 0),
        "token": live.token(batch.run_count, row.progress),
    }
    return shell.render_live(
        request, "dashboard/batches/detail.html", "dashboard/batches/_live.html", context
    )


def _shown(problem: Problem) -> Problem:
    """Why an item was refused quotes its payload."""
    message = sight.HIDDEN if sight.is_hidden() else sight.text(problem.message)
    return problem._replace(message=message)


def _rows(batches: list[Batch]) -> list[Row]:
    standing = reads.progress(batches)
    return [_row(batch, standing[batch.pk]) for batch in batches]


def _row(batch: Batch, progress: Progress) -> Row:
    ended_at = (
        None if progress.open or progress.is_pending else progress.changed_at or batch.created_at
    )
    look = presenters.batch_look(progress)
    return Row(batch, look, progress, bars.strip(progress.counts), ended_at)


def _made(row: Row) -> int:
    """Runs it has had: not yet all, while its items are still to come."""
    if row.batch.seals_by is not None:
        return sum(row.progress.counts.values())
    return row.batch.run_count - row.progress.refused


def _counts(row: Row) -> list[tuple[Look, int, str]]:
    """Look, number and list of the runs in each status there is."""
    counts = row.progress.counts
    return [
        (LOOKS[status], counts[status], _list(row.batch, status))
        for status in STATUS_ORDER
        if counts.get(status)
    ]


def _list(batch: Batch, status: str) -> str:
    query = RunQuery(batch=batch.pk, status=(status,))
    return f"{reverse('dashboard:runs')}?{query.encode()}"


def _runs(batch: Batch) -> list[tuple[int, Run, Look, bool]]:
    """Number, run, look, and whether an idempotency key found it: the first ones, as asked for."""
    places = reads.places(batch, SHOWN)
    found = Run.objects.light().in_bulk([run_id for _, run_id in places])
    return [
        (index + 1, run, presenters.look(run), run.batch_id != batch.pk)
        for index, run_id in places
        if (run := found.get(run_id)) is not None
    ]


def _place(batch: Batch) -> str:
    return f"{batch.created_at.isoformat()}~{batch.pk}"


def _older(batches: BatchQuerySet, place: str) -> BatchQuerySet:
    """Those after a place in the list; a place that is none is the beginning."""
    text, _, batch_id = place.replace("\x00", "").replace(" ", "+").partition("~")
    try:
        moment = parse_datetime(text)
    except ValueError:
        return batches
    if moment is None or timezone.is_naive(moment):
        return batches
    same = batches.filter(created_at=moment, id__lt=batch_id)
    return batches.filter(created_at__lt=moment) | same
