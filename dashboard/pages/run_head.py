"""The head of a run's page: where it belongs, what may be done with it, its neighbours in a list."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils import timezone

from dashboard import permissions, presenters
from dashboard.pages import key_facts
from dashboard.pages.addresses import compared, if_there
from dashboard.pages.page import page, see_other
from dashboard.pages.run_finding import find
from dashboard.pages.run_query import RunQuery
from runs.models import Run
from runs.reads.deadline import TooSlow, deadline

#: Characters of a list's query that an address carries, and seconds a neighbour may take.
LONGEST, PATIENCE = 2000, 1.0
OLDER, NEWER = "next", "previous"


def context(request: HttpRequest, run: Run, now: datetime) -> dict[str, Any]:
    """What the head shows."""
    refusal = permissions.refusal(request.user, permissions.OPERATE)
    return {
        "tries": presenters.tries(run),
        "can_cancel": presenters.can_cancel(run),
        "can_edit": presenters.can_edit(run),
        "can_unlock": presenters.can_unlock(run),
        "can_forget": run.idempotency_key is not None and _holds_key(run, now),
        "run_time": presenters.run_time(run, now),
        "queue_time": presenters.queue_time(run, now),
        "compare_url": compared(run.pk),
        "task_url": if_there("task", run.task_id) or _list(task=run.task_id),
        "refusal": refusal,
        "in_list": in_list(request),
        "key_facts": key_facts.of_one(run),
    }


def in_list(request: HttpRequest) -> str:
    """The query of the list one came from, as the address has it."""
    return request.GET.get("list", "").replace("\x00", "")[:LONGEST]


@page()
def neighbour(request: HttpRequest, run_id: str, side: str) -> HttpResponse:
    """The next older or newer run of the list one came from."""
    run, asked = find(run_id), in_list(request)
    tab = request.GET.get("tab", "")
    query = RunQuery.parse(QueryDict(asked))
    try:
        with deadline(PATIENCE):
            found = _neighbour(query, run, side)
    except TooSlow:
        messages.warning(request, "The list takes too long to search. Narrow it, and try again.")
        found = None
    else:
        if found is None:
            end = "oldest" if side == OLDER else "newest"
            messages.info(request, f"This is the {end} run of the list.")
    kept = {name: value for name, value in (("tab", tab), ("list", asked)) if value}
    return see_other("run", found or run.pk, query=urlencode(kept))


def _neighbour(query: RunQuery, run: Run, side: str) -> str | None:
    runs = query.filter(timezone.now()).runs()
    if side == OLDER:
        return runs.filter(id__lt=run.pk).order_by("-id").values_list("id", flat=True).first()
    return runs.filter(id__gt=run.pk).order_by("id").values_list("id", flat=True).first()


def _holds_key(run: Run, now: datetime) -> bool:
    """Whether a trigger with its key would lead to it."""
    return run.idempotency_expires_at is None or run.idempotency_expires_at > now


def _list(**asked: str) -> str:
    return f"{reverse('dashboard:runs')}?{urlencode(asked)}"
