"""Schedules: what fires when, what became of it, and the verbs that change it."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from dashboard import permissions, undo
from dashboard.pages import live, schedule_rows, shell
from dashboard.pages.page import page, see_other
from dashboard.pages.trigger_form import new_token
from runs.errors import InvalidOption, InvalidPayload
from runs.lifecycle import byhand, schedules, sheet, withdrawing, withholding
from runs.lifecycle.requests import once
from runs.models import AuditLog, Schedule, Task
from runs.reads import agenda
from runs.reads import schedules as reads

HISTORY = 20
SHOWN = 10
MAX_REASON = 500
#: How far back fires are counted.
ACCOUNTED = timedelta(days=7)


@page()
def index(request: HttpRequest) -> HttpResponse:
    return shell.render_live(
        request, "dashboard/schedules/index.html", "dashboard/schedules/_table.html", _all(request)
    )


def _all(request: HttpRequest) -> dict[str, Any]:
    search = request.GET.get("q", "").replace("\x00", "").strip()[:300]
    asked = request.GET.get("page", "")
    number = max(int(asked), 1) if asked.isdecimal() and len(asked) < 6 else 1
    found, has_more = reads.page(search, number)
    rows = schedule_rows.rows(found)
    facts = [
        (row.schedule.pk, row.schedule.updated_at, row.schedule.next_at, row.look, row.last)
        for row in rows
    ]
    return {
        "rows": rows,
        "search": search,
        "number": number,
        "has_more": has_more,
        "token": live.token(search, number, *facts),
        "refusal": permissions.refusal(request.user, permissions.ADMINISTER),
        "run_refusal": permissions.refusal(request.user, permissions.OPERATE),
        "request_token": new_token(),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.ADMINISTER)
def detail(request: HttpRequest, schedule_id: str) -> HttpResponse:
    row = find(schedule_id)
    verb = _VERBS.get(request.POST.get("action", ""))
    if request.method != "POST":
        return _show(request, row)
    if verb is None or row.is_declared:
        return _show(request, row, status=422)
    verb[0](row.pk, actor=permissions.actor(request.user), reason=_reason(request))
    address, why = undo.to("schedule", row.pk), row.paused_reason or None
    undo.said(request, verb[1], address, action=verb[2], reason=why)
    return see_other("schedule", row.pk)


_VERBS = {
    "activate": (schedules.activate, "Switched on. It fires from now on.", "deactivate"),
    "deactivate": (schedules.deactivate, "Switched off. Runs it has made stay.", "activate"),
}


@require_POST
@page(permissions.OPERATE)
def run_now(request: HttpRequest, schedule_id: str) -> HttpResponse:
    """One run now, whatever the clock says."""
    row = find(schedule_id)
    key = request.POST.get("token", "")[:100]
    actor = permissions.actor(request.user)
    try:
        made = once(f"schedule:{row.pk}", key, lambda: byhand.run_now(row.pk, actor=actor))
    except (InvalidOption, InvalidPayload) as error:
        messages.error(request, f"No run was made. {error}")
        return see_other("schedule", row.pk)
    messages.success(
        request, f"Made a run of {row.task_id} by hand; the schedule goes on as before."
    )
    return see_other("run", made.run_id)


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.ADMINISTER)
def delete(request: HttpRequest, schedule_id: str) -> HttpResponse:
    row = find(schedule_id)
    if request.method == "POST" and request.POST.get("do") == "undo":
        return _kept(request, row)
    if request.method == "POST" and not row.is_declared:
        actor = permissions.actor(request.user)
        asked = withholding.delete_soon(row.pk, actor=actor, reason=_reason(request))
        said = f"A schedule of {row.task_id} is deleted in {withdrawing.SECONDS:g} s."
        address = undo.to("schedule_delete", row.pk)
        undo.said(request, said, address, until=asked.due_at, do="undo")
        return see_other("schedules")
    seconds = withdrawing.SECONDS
    context = {"schedule": row, "refusal": refusal(request, row), "seconds": seconds}
    status = 422 if request.method == "POST" else 200
    return shell.render(request, "dashboard/schedules/delete.html", context, status=status)


def _kept(request: HttpRequest, row: Schedule) -> HttpResponse:
    """It goes on, if nobody was faster."""
    if withholding.withdraw_delete(row.pk, actor=permissions.actor(request.user)):
        messages.success(request, "The schedule stays: its delete was undone.")
    else:
        messages.error(request, "There was no delete to undo.")
    return see_other("schedule", row.pk)


def find(schedule_id: str) -> Schedule:
    row = Schedule.objects.filter(pk=schedule_id.replace("\x00", "")).first()
    if row is None:
        raise Http404(f"There is no schedule {schedule_id[:60]}; it may have been deleted.")
    return row


def refusal(request: HttpRequest, row: Schedule) -> str:
    """Why this person may not change this schedule, or empty."""
    if row.is_declared:
        return f"It is declared in code, with task {row.task_id}: change it there."
    return permissions.refusal(request.user, permissions.ADMINISTER)


def _reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "").replace("\x00", "").strip()[:MAX_REASON]


def _show(request: HttpRequest, row: Schedule, status: int = 200) -> HttpResponse:
    task = Task.objects.filter(pk=row.task_id).first()
    open_runs = sheet.open_runs(row.pk)
    account = agenda.account(row, timezone.now(), ACCOUNTED)
    context = {
        "schedule": row,
        "task": task,
        "leaving": getattr(row, "pending_delete", None),
        "look": schedule_rows.look(row, task),
        "policy": sheet.policy_of(row),
        "coming": schedule_rows.upcoming(row, SHOWN),
        "account": account,
        "accounted": schedule_rows.counted(account.outcomes) if account else [],
        "notes": _notes(row),
        "fires": schedule_rows.fires(reads.ticks(row)),
        "open_runs": open_runs,
        "now": timezone.now(),
        "history": AuditLog.objects.filter(action__startswith="schedule.", target=row.pk)[:HISTORY],
        "refusal": refusal(request, row),
        "run_refusal": permissions.refusal(request.user, permissions.OPERATE),
        "request_token": new_token(),
    }
    context["token"] = live.token(
        row.updated_at, row.next_at, row.held_at, open_runs, context["fires"]
    )
    if status != 200:
        return shell.render(request, "dashboard/schedules/detail.html", context, status=status)
    return shell.render_live(
        request, "dashboard/schedules/detail.html", "dashboard/schedules/_live.html", context
    )


def _notes(row: Schedule) -> list[str]:
    has_next = row.active and row.next_at is not None
    return row.clock.notes(timezone.now()) if has_next else []
