"""Alerts: channels, rules, and what became of every message."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from dashboard import permissions
from dashboard.pages import choices, live, settings
from dashboard.pages.alert_forms import ChannelForm, RuleForm, asked, of_channel, of_rule
from dashboard.pages.page import page, see_other
from dashboard.presenters import LOOKS, Look
from runs.errors import InvalidOption
from runs.lifecycle import alerts
from runs.models import AlertChannel, AlertDelivery, AlertRule, DeliveryStatus, RuleKind

PAGE = 50
DELIVERIES = {
    DeliveryStatus.PENDING: Look("Pending", "delayed", "active", "A run delivers it, or tries again."),
    DeliveryStatus.SENT: Look("Sent", "tick", "ok", "The other side took it."),
    DeliveryStatus.FAILED: Look("Failed", "failed", "bad", "Every try failed."),
}  # fmt: skip
ON = Look("On", "tick", "ok", "It is used.")
OFF = Look("Off", "paused", "idle", "It is left alone.")


@dataclass(frozen=True, slots=True)
class Line:
    """A delivery in the log."""

    row: AlertDelivery
    look: Look
    told: dict[str, Any]
    can_repeat: bool


@page(permissions.ADMINISTER)
def index(request: HttpRequest) -> HttpResponse:
    last = AlertDelivery.objects.filter(channel=OuterRef("pk")).order_by("-id")
    channels = AlertChannel.objects.annotate(last_status=Subquery(last.values("status")[:1]))
    channels = channels.annotate(last_at=Subquery(last.values("at")[:1]))
    rules = AlertRule.objects.select_related("view").prefetch_related("channels")
    context = {
        "channels": [(row, _state(row), DELIVERIES.get(row.last_status)) for row in channels],
        "rules": [(row, _state(row), said(row)) for row in rules],
        **_log(request),
    }
    if request.headers.get("HX-Request"):
        return settings.live(request, "dashboard/alerts/_log.html", context)
    return settings.render(request, "alerts", "dashboard/alerts/index.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@page(permissions.ADMINISTER)
def channel(request: HttpRequest, number: int = 0) -> HttpResponse:
    row = alerts.channel(number) if number else None
    form = ChannelForm(request.POST or None, initial=of_channel(row) if row else None)
    if row is not None:
        form.keep(row)
    if request.method == "POST" and form.is_valid():
        data, actor = form.cleaned_data, permissions.actor(request.user)
        try:
            saved = alerts.save_channel(**data, actor=actor, pk=number or None)
        except InvalidOption as error:
            _blame(form, error)
        else:
            messages.success(request, f"Saved “{saved.name}”. Send a test to be sure.")
            return see_other("alerts")
    return _form(request, "channel", row, form)


@require_http_methods(["GET", "HEAD", "POST"])
@page(permissions.ADMINISTER)
def rule(request: HttpRequest, number: int = 0) -> HttpResponse:
    row = alerts.rule(number) if number else None
    initial = of_rule(row) if row else asked(request.GET)
    owner = permissions.actor(request.user)
    form = RuleForm(request.POST or None, initial=initial, owner=owner, row=row)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            saved = alerts.save_rule(
                data["name"],
                form.watched,
                channels=[int(pk) for pk in data["channels"]],
                active=data["active"],
                actor=permissions.actor(request.user),
                pk=number or None,
            )
        except InvalidOption as error:
            _blame(form, error)
        else:
            messages.success(request, f"Saved “{saved.name}”.")
            return see_other("alerts")
    return _form(request, "rule", row, form)


@require_POST
@page(permissions.ADMINISTER)
def test(request: HttpRequest, number: int) -> HttpResponse:
    """Send a message, and look at the log."""
    row = alerts.channel(number)
    alerts.test(row, actor=permissions.actor(request.user))
    messages.success(
        request, f"A test goes to “{row.name}”. The log below says what becomes of it."
    )
    return see_other("alerts")


@require_POST
@page(permissions.ADMINISTER)
def again(request: HttpRequest, number: int) -> HttpResponse:
    try:
        alerts.again(number, actor=permissions.actor(request.user))
        messages.success(request, "It is sent once more.")
    except InvalidOption as error:
        messages.error(request, str(error))
    return see_other("alerts")


@require_http_methods(["GET", "HEAD", "POST"])
@page(permissions.ADMINISTER)
def delete(request: HttpRequest, what: str, number: int) -> HttpResponse:
    row = alerts.channel(number) if what == "channel" else alerts.rule(number)
    if request.method == "POST":
        alerts.delete(row, actor=permissions.actor(request.user))
        messages.success(request, f"Deleted “{row.name}”.")
        return see_other("alerts")
    context = {"row": row, "what": what}
    return settings.render(request, "alerts", "dashboard/alerts/delete.html", context)


def said(row: AlertRule) -> str:
    """A rule as a sentence."""
    if row.kind == RuleKind.STATUS:
        words = ", ".join(LOOKS[status].word.lower() for status in row.status_list)
        return f"A run of {row.task_id or 'any task'} ended: {words}"
    if row.kind in alerts.COUNTED:
        where = row.queue or "any queue"
        if row.kind == RuleKind.BACKLOG:
            return f"More than {row.threshold:,.0f} runs queued in {where}"
        return f"The oldest run of {where} waits longer than {row.threshold:,.0f} s"
    if row.kind in alerts.BOUNDED:
        return _bounded(row)
    about = f" of {row.task_id}" if row.task_id else ""
    return f"{row.get_kind_display()}{about}"  # type: ignore[no-any-return, unused-ignore]


def _bounded(row: AlertRule) -> str:
    """One that tells each, or when there are too many."""
    if row.kind == RuleKind.FAILED_SO:
        each, many = f"Error error_{row.fingerprint} happened again", "times within an hour"
    else:
        name = f"the view “{row.view}”" if row.view else "its search"
        each, many = f"Runs came into {name}", f"runs in {name}"
    return (
        each
        if row.threshold is None
        else f"More than {row.threshold:,.0f} {many}"
        + (f": error_{row.fingerprint}" if row.fingerprint else "")
    )


def _state(row: AlertChannel | AlertRule) -> Look:
    return ON if row.active else OFF


def _blame(form: forms.Form, error: InvalidOption) -> None:
    form.add_error(error.option if error.option in form.fields else None, str(error))


def _form(request: HttpRequest, what: str, row: Any, form: forms.Form) -> HttpResponse:
    context = {"what": what, "row": row, "form": form, **choices.names()}
    context["no_channels"] = what == "rule" and not AlertChannel.objects.exists()
    status = 422 if request.method == "POST" else 200
    return settings.render(request, "alerts", "dashboard/alerts/form.html", context, status)


def _log(request: HttpRequest) -> dict[str, Any]:
    """The newest deliveries, or those before one."""
    before = request.GET.get("before", "")
    found = AlertDelivery.objects.select_related("channel", "rule")
    if before.isascii() and before.isdecimal() and len(before) < 19:
        found = found.filter(pk__lt=int(before))
    rows = list(found[: PAGE + 1])
    return {
        "lines": [
            Line(row, DELIVERIES[DeliveryStatus(row.status)], row.told, row.status == DeliveryStatus.FAILED)
            for row in rows[:PAGE]
        ],
        "older": rows[PAGE - 1].pk if len(rows) > PAGE else "",
        "before": before,
        "root": reverse("dashboard:overview").rstrip("/"),
        "token": live.token([(row.pk, row.status, row.attempts) for row in rows]),
    }  # fmt: skip
