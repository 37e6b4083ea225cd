"""API keys: who has one, making one, whose text is shown once, and revoking one."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_http_methods

from dashboard import permissions
from dashboard.pages import settings
from dashboard.pages.page import page, see_other
from dashboard.presenters import Look
from runs import conf
from runs.errors import InvalidOption
from runs.lifecycle import apikeys
from runs.models import ApiKey, Payloads, Role

#: Keys that may not be used any more, in the list.
ENDED = 50
#: A key that ends within this is said to end soon.
SOON = timedelta(days=7)
ROLES = [
    (Role.TRIGGER, "Trigger only: makes runs and batches, and reads nothing"),
    (Role.VIEWER, "Viewer: reads"),
    (Role.OPERATOR, "Operator: triggers, replays, cancels and changes runs too"),
    (Role.VARIABLES, "Variables only: environment variables, and nothing else"),
    (Role.ADMIN, "Admin: everything, queues, schedules, variables and keys too"),
]
PAYLOADS = [("", "As the role: a viewer none, others as stored"), *Payloads.choices]
LIVES = [("", "Never"), ("7", "In 7 days"), ("30", "In 30 days"), ("90", "In 90 days"), ("365", "In a year")]  # fmt: skip

ACTIVE = Look("Active", "tick", "ok", "It may be used.")
ENDING = Look("Ends soon", "delayed", "warn", "Make its successor in time.")
EXPIRED = Look("Expired", "expired", "idle", "Its time is over.")
REVOKED = Look("Revoked", "canceled", "idle", "Somebody took it back.")


class KeyForm(forms.Form):
    name = forms.CharField(
        max_length=100,
        help_text="What it is for. Runs and the audit log name it wherever it acted.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "backend"}),
    )
    role = forms.ChoiceField(choices=ROLES, initial=Role.ADMIN)
    tasks = forms.CharField(
        required=False,
        max_length=2000,
        help_text="Ids of tasks, one a line, at most ten: the key is for their runs alone. Empty for all. "
        "For the roles trigger only, viewer and operator.",
        widget=forms.Textarea(attrs={"rows": 2, "autocomplete": "off", "spellcheck": "false"}),
    )
    payloads = forms.ChoiceField(
        label="Payloads",
        choices=PAYLOADS,
        required=False,
        help_text="How it reads payloads, outputs, metadata, logs and error messages.",
    )
    days = forms.ChoiceField(label="Expires", choices=LIVES, required=False)


@dataclass(frozen=True, slots=True)
class Row:
    """A key in the list."""

    key: ApiKey
    look: Look
    is_live: bool
    #: Whether public tokens of it can be checked.
    is_readable: bool


@require_http_methods(["GET", "HEAD", "POST"])
@page(permissions.ADMINISTER)
def index(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _create(request)
    return _show(request, KeyForm())


@require_http_methods(["GET", "HEAD", "POST"])
@page(permissions.ADMINISTER)
def revoke(request: HttpRequest, number: int) -> HttpResponse:
    key = ApiKey.objects.filter(pk=number).first() if number < 1 << 63 else None
    if key is None:
        raise Http404(f"There is no API key number {number}.")
    if request.method == "POST":
        apikeys.revoke_one(key.pk, actor=permissions.actor(request.user))
        messages.success(request, f"Revoked the key “{key.name}”. It is refused from now on.")
        return see_other("keys")
    context = {"key": key, "look": _look(key, timezone.now())}
    return settings.render(request, "keys", "dashboard/keys/revoke.html", context)


def _create(request: HttpRequest) -> HttpResponse:
    """The answer shows the key: no redirect could, and nothing of it may be kept."""
    form = KeyForm(request.POST)
    if not form.is_valid():
        return _show(request, form, status=422)
    data = form.cleaned_data
    ends = timezone.now() + timedelta(days=int(data["days"])) if data["days"] else None
    actor = permissions.actor(request.user)
    try:
        key, text = apikeys.create(
            data["name"],
            actor=actor,
            role=data["role"],
            tasks=[one.strip() for one in data["tasks"].splitlines() if one.strip()],
            payloads=data["payloads"] or None,
            expires_at=ends,
        )
    except InvalidOption as error:
        form.add_error(error.option if error.option in form.fields else None, str(error))
        return _show(request, form, status=422)
    response = _show(request, KeyForm(), made=key, text=text)
    patch_cache_control(response, no_store=True)
    return response


def _show(
    request: HttpRequest,
    form: KeyForm,
    status: int = 200,
    made: ApiKey | None = None,
    text: str = "",
) -> HttpResponse:
    context = {
        "form": form,
        "rows": _rows(),
        "made": made,
        "text": text,
        "address": str(conf.get("URL")).rstrip("/"),
    }
    return settings.render(request, "keys", "dashboard/keys/index.html", context, status)


def _rows() -> list[Row]:
    """Live keys by name, then the last that ended."""
    now = timezone.now()
    keys = [*ApiKey.objects.live(now).order_by("name"), *ApiKey.objects.ended(now)[:ENDED]]
    return [_row(key, now) for key in keys]


def _row(key: ApiKey, now: datetime) -> Row:
    is_live = key.is_live(now)
    return Row(key, _look(key, now), is_live, not is_live or apikeys.secret(key) is not None)


def _look(key: ApiKey, now: datetime) -> Look:
    if key.revoked_at is not None:
        return REVOKED
    if key.expires_at is None or key.expires_at > now + SOON:
        return ACTIVE
    return ENDING if key.expires_at > now else EXPIRED
