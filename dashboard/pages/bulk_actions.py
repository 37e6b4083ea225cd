"""Bulk actions: the list, and one of them with its progress and what stops it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_http_methods

from dashboard import permissions, sight
from dashboard.pages import bars, bulk_pace, live, shell
from dashboard.pages.page import page, see_other
from dashboard.presenters import Look
from runs import lifecycle
from runs.lifecycle import bulk, bulkreasons
from runs.lifecycle.bulkoptions import BulkOptions
from runs.lifecycle.bulkreasons import Refused
from runs.models import AuditLog, BulkAction, BulkStatus

PAGE, HISTORY = 50, 20

LOOKS = {
    BulkStatus.PENDING: Look(
        "Working", "executing", "active", "Its runs are done one after the other."
    ),
    BulkStatus.PAUSED: Look("Paused", "paused", "parked", "Nothing is done until it is resumed."),
    BulkStatus.COMPLETED: Look("Completed", "completed", "ok", "All its runs are done."),
    BulkStatus.ABORTED: Look("Aborted", "canceled", "idle", "What it did stays done."),
}
STARTS = Look("Begins soon", "delayed", "idle", "It can be called off until then.")
WAITS = Look("First replays", "waiting", "parked", "It waits until its first replays have ended.")
VERBS = {
    "abort": (lifecycle.abort_bulk, "Stopped. What it had done stays done."),
    "pause": (lifecycle.pause_bulk, "Paused. Resume it whenever you like."),
    "resume": (lifecycle.resume_bulk, "It goes on."),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A bulk action and how far it is."""

    action: BulkAction
    look: Look
    now: datetime

    @property
    def done(self) -> int:
        return self.action.success + self.action.failure

    @property
    def strip(self) -> tuple[tuple[str, str], ...]:
        """(tone, path) of what is done, in a hundred."""
        parts = (("ok", self.action.success), ("bad", self.action.failure))
        return bars.shares(parts, max(self.action.total, self.done))

    @property
    def took(self) -> timedelta:
        return max((self.action.completed_at or self.now) - self.action.created_at, timedelta())

    @property
    def rate(self) -> float:
        """Runs a minute since it was begun."""
        minutes = self.took.total_seconds() / 60
        return self.done / minutes if minutes else 0.0

    @property
    def left(self) -> timedelta | None:
        """An estimate, where there is something to make one of."""
        if self.action.status != BulkStatus.PENDING or not self.done or not self.rate:
            return None
        return timedelta(minutes=max(self.action.total - self.done, 0) / self.rate)

    @property
    def can_undo(self) -> bool:
        """Whether nothing has been done and nothing is yet."""
        waits = self.action.not_before is not None and self.action.not_before > self.now
        return waits and not self.done and self.action.completed_at is None


@page()
def index(request: HttpRequest) -> HttpResponse:
    before = request.GET.get("before", "").replace("\x00", "")[:40]
    rows = BulkAction.objects.newest_first()
    found = list((rows.filter(pk__lt=before) if before else rows)[: PAGE + 1])
    now = timezone.now()
    shown = [_row(action, now) for action in found[:PAGE]]
    context = {
        "rows": shown,
        "before": before,
        "older": found[PAGE - 1].pk if len(found) > PAGE else "",
        "token": live.token(*[_facts(row) for row in shown]),
    }
    return shell.render_live(
        request, "dashboard/bulk/index.html", "dashboard/bulk/_table.html", context
    )


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.OPERATE)
def detail(request: HttpRequest, action_id: str) -> HttpResponse:
    action = bulk.found(action_id.replace("\x00", ""))
    if request.method != "POST":
        return _show(request, action)
    verb = VERBS.get(request.POST.get("do", ""))
    if verb is None:
        return _show(request, action, status=422)
    before = action.status
    after = verb[0](action.pk, actor=permissions.actor(request.user))
    if after.status == before:
        return _show(request, after, status=409)
    undone = after.status == BulkStatus.ABORTED and not after.success + after.failure
    messages.success(request, "Called off: nothing was done." if undone else verb[1])
    return see_other("bulk_action", action.pk)


@page()
def short_link(request: HttpRequest, action_id: str) -> HttpResponse:
    return redirect("dashboard:bulk_action", action_id)


def _row(action: BulkAction, now: datetime) -> Row:
    look = LOOKS[BulkStatus(action.status)]
    waits = action.not_before is not None and action.not_before > now
    if action.status == BulkStatus.PENDING and action.success + action.failure == 0 and waits:
        look = STARTS
    elif action.status == BulkStatus.PENDING and 0 < action.canary <= action.success:
        look = WAITS
    return Row(action, look, now)


def _facts(row: Row) -> tuple[object, ...]:
    action = row.action
    return action.pk, action.status, action.success, action.failure, row.look.word


def _show(request: HttpRequest, action: BulkAction, status: int = 200) -> HttpResponse:
    row = _row(action, timezone.now())
    options = BulkOptions.of(action.options)
    context: dict[str, Any] = {
        "row": row,
        "action": action,
        "options": options,
        "pace": bulk_pace.told(options),
        "patch": sight.document(options.patch or "", "payload"),
        "scope": _scope(action),
        "reasons": _reasons(action),
        "made": _list(f"bulk:{action.pk}"),
        "history": AuditLog.objects.filter(action__startswith="bulk.", target=action.pk)[:HISTORY],
        "refusal": permissions.refusal(request.user, permissions.OPERATE),
        "stale": status == 409,
        "token": live.token(*_facts(row), row.can_undo, action.problem),
    }
    if status != 200:
        return shell.render(request, "dashboard/bulk/detail.html", context, status=status)
    return shell.render_live(
        request, "dashboard/bulk/detail.html", "dashboard/bulk/_live.html", context
    )


@dataclass(frozen=True, slots=True)
class Reason:
    """Why runs were not done, as the reader may see it, and where the first of them are listed."""

    text: str
    refused: Refused

    @property
    def address(self) -> str:
        """Empty where nobody kept which they were."""
        return _list(f"run:{','.join(self.refused.runs)}") if self.refused.runs else ""


def _reasons(action: BulkAction) -> list[Reason]:
    """The most frequent first."""
    told: dict[str, Refused] = {}
    for reason, refused in bulkreasons.read(action.reasons).items():
        text = sight.HIDDEN if sight.is_hidden() else sight.text(reason)
        told[text] = told.get(text, Refused()).and_all(refused)
    found = [Reason(text, refused) for text, refused in told.items()]
    return sorted(found, key=lambda reason: -reason.refused.count)


def _list(query: str) -> str:
    """The address of the runs of a search, however old they are."""
    return f"{reverse('dashboard:runs')}?{urlencode({'q': query, 'period': 'all'})}"


def _scope(action: BulkAction) -> list[tuple[str, str]]:
    """Which runs it was begun for, as (name, value)."""
    if "runs" in action.chosen:
        count = len(action.chosen["runs"])
        return [("picked", f"{count} run{'' if count == 1 else 's'}")]
    facts = action.chosen["filter"]
    return [
        (name, _told(value)) for name, value in facts.items() if value not in (None, "", [], ())
    ]


def _told(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    moment = parse_datetime(value) if isinstance(value, str) and "T" in value else None
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}" if moment else str(value)
