"""One run: header, reasons, and a tab per question. A tab is an address, live or not."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from dashboard import permissions, presenters
from dashboard.pages import live, run_tabs, run_trace, shell
from dashboard.pages.page import page, see_other
from dashboard.pages.run_finding import find
from runs import lifecycle
from runs.models import Run
from runs.reads import attempts, newest, trace, waits
from runs.reads.gates import Gate, ahead, gates

#: Seconds between two looks: while it executes, and while it stands somewhere.
FAST, SLOW = 1, 4
LATE_TABS = ("logs", "trace")


@page()
def detail(request: HttpRequest, run_id: str) -> HttpResponse:
    tab = run_tabs.find(request.GET.get("tab", ""))
    run = find(run_id, **newest.columns(with_spans=tab == "trace"), **attempts.columns())
    context = _context(request, run, tab)
    return shell.render(
        request, "dashboard/run/page.html", context | run_tabs.context(tab, run, request)
    )


@page()
def live_parts(request: HttpRequest, run_id: str) -> HttpResponse:
    """What changed since the token `v`: header, reasons and the open tab."""
    tab = run_tabs.find(request.GET.get("tab", ""))
    run = find(run_id, **newest.columns(with_spans=tab == "trace"), **attempts.columns())
    context = _context(request, run, tab)
    if context["token"] == request.GET.get("v"):
        return HttpResponse(status=204)
    context |= run_tabs.context(tab, run, request) | {"oob": True}
    return render(request, "dashboard/run/_live.html", context)


@require_POST
@page(act=permissions.OPERATE)
def unlock(request: HttpRequest, run_id: str) -> HttpResponse:
    """Let a run go on with whatever version of the code there is."""
    lifecycle.unlock(run_id, actor=permissions.actor(request.user))
    messages.success(
        request, "The run is locked to no version any more: any that has its task may take it."
    )
    return see_other("run", run_id)


@page()
def short_link(request: HttpRequest, run_id: str) -> HttpResponse:
    return redirect("dashboard:run", run_id=run_id)


def _context(request: HttpRequest, run: Run, tab: str) -> dict[str, Any]:
    now = timezone.now()
    shut = [] if run.is_final else gates(run, now)
    place = ahead(run) if shut else None
    pace = run_trace.pace(run, now) if tab == "trace" else 0
    return {
        "run": run,
        "look": presenters.look(run),
        "now": now,
        "tab": tab,
        "tabs": run_tabs.TABS,
        "gates": shut,
        "wait": waits.of(run),
        "ahead": place,
        "tries": presenters.tries(run),
        "can_cancel": presenters.can_cancel(run),
        "can_edit": presenters.can_edit(run),
        "can_unlock": presenters.can_unlock(run),
        "every": FAST if presenters.is_moving(run) or run.is_final else SLOW,
        "token": _token(run, shut, place, is_live(run, tab, now), pace),
        "is_live": is_live(run, tab, now),
        "run_time": presenters.run_time(run, now),
        "queue_time": presenters.queue_time(run, now),
    }


def is_live(run: Run, tab: str, now: datetime) -> bool:
    """Whether the page has to look again. What a body wrote last comes a moment after its end."""
    if run.finished_at is None:
        return True
    return tab in LATE_TABS and now - run.finished_at < trace.LATE + timedelta(seconds=1)


def _token(run: Run, shut: list[Gate], *more: object) -> str:
    """Grows with everything the page shows: the row, its events and lines, what stands before it."""
    return live.token(run.updated_at, run.status, newest.of(run), shut, *more)
