"""One run: header, reasons, and a tab per question. A tab is an address, live or not."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Count, OuterRef, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from dashboard import permissions, presenters
from dashboard.pages import live, run_head, run_streams, run_tabs, run_trace, shell, why
from dashboard.pages.page import page, see_other
from dashboard.pages.run_finding import find
from dashboard.pages.why import Standing
from runs import lifecycle
from runs.models import PendingCancel, Run, RunNote, Task
from runs.reads import attempts, newest, trace

#: Seconds between two looks: while it executes, and while it stands somewhere.
FAST, SLOW = 1, 5
#: Housekeeping was to cancel it before: no cluster is there.
LATE = timedelta(seconds=3)
LATE_TABS = ("logs", "trace")
#: What grows without a write to the run's row, by tab.
GROWING: dict[str, Callable[[Run, datetime], object]] = {
    "trace": run_trace.pace,
    "streams": run_streams.standing,
}


@page()
def detail(request: HttpRequest, run_id: str) -> HttpResponse:
    tab = run_tabs.find(request.GET.get("tab", ""))
    context = _drawn(request, _context(request, _find(run_id, tab), tab))
    return shell.render(request, "dashboard/run/page.html", context)


def again(request: HttpRequest, run_id: str, tab: str, **typed: str) -> HttpResponse:
    """The page with what was typed into a form that was refused."""
    context = _drawn(request, _context(request, _find(run_id, tab), tab)) | typed
    return shell.render(request, "dashboard/run/page.html", context, status=422)


@page()
def live_parts(request: HttpRequest, run_id: str) -> HttpResponse:
    """What changed since the token `v`: header, reasons and the open tab."""
    tab = run_tabs.find(request.GET.get("tab", ""))
    context = _context(request, _find(run_id, tab), tab)
    if context["token"] == request.GET.get("v"):
        return HttpResponse(status=204)
    shown = _drawn(request, context) | {"oob": True}
    return render(request, "dashboard/run/_live.html", shown)


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


def _find(run_id: str, tab: str) -> Any:
    """The run with what its page shows beside; a cancel whose time has come is done, not awaited."""
    asked = PendingCancel.objects.filter(pk=OuterRef("pk")).values("due_at")
    more = newest.columns(with_spans=tab == "trace") | attempts.columns()
    written = RunNote.objects.filter(run_id=OuterRef("pk")).order_by().values("run_id")
    more |= {
        "cancel_due": Subquery(asked),
        "task_config": Subquery(Task.objects.filter(pk=OuterRef("task_id")).values("config")),
        "notes_count": Subquery(written.annotate(count=Count("id")).values("count")),
    }
    run: Any = find(run_id, **more)
    if run.cancel_due and run.cancel_due < timezone.now() - LATE and lifecycle.cancel_now(run.pk):
        run = find(run_id, **more)
    return run


def _context(request: HttpRequest, run: Run, tab: str) -> dict[str, Any]:
    """What every look needs, to say whether something has changed."""
    now = timezone.now()
    stands = why.standing(run, now)
    grown = GROWING[tab](run, now) if tab in GROWING else None
    live_now = is_live(run, tab, now)
    is_fast = presenters.is_moving(run) or run.is_final or getattr(run, "cancel_due", None)
    return {
        "run": run,
        "look": presenters.look(run),
        "now": now,
        "tab": tab,
        "tabs": run_tabs.TABS,
        "stands": stands,
        "every": FAST if is_fast else SLOW,
        "token": _token(run, stands, live_now, grown),
        "is_live": live_now,
    }


def _drawn(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What is asked for only when there is something to draw."""
    run, now, tab = context["run"], context["now"], context["tab"]
    shown = run_head.context(request, run, now) | why.context(run, context["stands"], now)
    beside = {"tab": "" if tab == run_tabs.TABS[0][0] else tab, "list": shown["in_list"]}
    shown["beside"] = urlencode({name: value for name, value in beside.items() if value})
    return context | shown | run_tabs.context(tab, run, request)


def is_live(run: Run, tab: str, now: datetime) -> bool:
    """Whether the page has to look again. What a body wrote last comes a moment after its end."""
    if run.finished_at is None:
        return True
    return tab in LATE_TABS and now - run.finished_at < trace.LATE + timedelta(seconds=1)


def _token(run: Run, stands: Standing, *more: object) -> str:
    """Grows with everything the page shows: the row, its events and lines, what stands before it."""
    before = stands.gates, stands.ahead, stands.is_overdue
    return live.token(run.updated_at, run.status, newest.of(run), *before, *more)
