"""Retention: how long runs stay, what goes when, and a copy of it before."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from dashboard import permissions, sight, undo
from dashboard.pages import settings
from dashboard.pages.page import page, see_other
from dashboard.presenters import LOOKS
from runs import conf
from runs.errors import InvalidOption
from runs.lifecycle import ages, audit, foresight, keeping
from runs.reads import exporting
from runs.reads import retention as reads

#: What goes by settings alone, and what it is.
OTHERS = (
    ("LOG_RETENTION_DAYS", "Log lines and spans"),
    ("TICK_RETENTION_DAYS", "Fires of schedules"),
    ("ROLLUP_RETENTION_DAYS", "Counts for Metrics"),
)


class RetentionForm(forms.Form):
    """Days for each status; 0 is for ever."""

    reason = forms.CharField(required=False, max_length=500)

    def __init__(self, data: Any, kept: dict[str, float]) -> None:
        super().__init__(data)
        for status, days in kept.items():
            self.fields[status] = forms.FloatField(
                label=LOOKS[status].word, min_value=0, max_value=ages.MOST_DAYS, initial=f"{days:g}"
            )

    @property
    def days(self) -> dict[str, float]:
        return {name: days for name, days in self.cleaned_data.items() if name != "reason"}


@require_http_methods(["GET", "HEAD", "POST"])
@page(permissions.ADMINISTER)
def index(request: HttpRequest) -> HttpResponse:
    """GET with days shows what they would do, POST keeps them."""
    kept = keeping.in_force()
    asked = request.POST if request.method == "POST" else request.GET
    form = RetentionForm(asked if asked.keys() & kept.keys() else None, kept)
    is_good = form.is_bound and form.is_valid()
    if request.method == "POST" and is_good:
        actor = permissions.actor(request.user)
        try:
            keeping.change(form.days, actor=actor, reason=form.cleaned_data["reason"])
        except InvalidOption as error:
            form.add_error(None, str(error))
            is_good = False
        else:
            messages.success(request, "Saved. Clusters follow it within an hour.")
            return see_other("retention")
    status = 422 if request.method == "POST" else 400 if form.is_bound and not is_good else 200
    return _show(request, form, kept, form.days if is_good else kept, status)


@page(permissions.ADMINISTER)
def export(request: HttpRequest) -> HttpResponseBase:
    """The runs that would go now as JSON Lines, sent while they are read."""
    if refusal := permissions.refusal(request.user, permissions.READ):
        return HttpResponse(refusal, status=403, content_type="text/plain; charset=utf-8")
    now = timezone.now()
    runs = foresight.that_go(ages.ends(keeping.in_force(), now), now)
    audit.record(permissions.actor(request.user), "run.export", "", what="runs that would go now")
    response = StreamingHttpResponse(
        exporting.lines(runs, sight.document), content_type="application/jsonl"
    )
    name = f"old-runs-{now:%Y-%m-%d}.jsonl"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


@require_POST
@page(permissions.VIEW, act=permissions.OPERATE)
def pin(request: HttpRequest, run_id: str) -> HttpResponse:
    """Keep a run, or keep it no longer."""
    actor = permissions.actor(request.user)
    if request.POST.get("act") == "unpin":
        keeping.unpin(run_id, actor=actor)
        undo.said(request, "Unpinned: it goes when its time comes.", undo.to("pin", run_id))
    else:
        reason = request.POST.get("reason", "").replace("\x00", "").strip()[:500]
        keeping.pin(run_id, actor=actor, reason=reason)
        said = "Pinned: it stays however old it becomes."
        undo.said(request, said, undo.to("pin", run_id), act="unpin")
    return see_other("run", run_id, query="tab=detail")


def _show(
    request: HttpRequest,
    form: RetentionForm,
    kept: dict[str, float],
    tried: dict[str, float],
    status: int,
) -> HttpResponse:
    stated = ages.days()
    rows = [
        (LOOKS[one.status], form[one.status], one, stated[one.status])
        for one in reads.outlook(tried)
    ]
    context = {
        "form": form,
        "rows": rows,
        "is_trial": tried != kept,
        "pinned": reads.pinned(),
        "others": [(words, float(conf.get(name)), name) for name, words in OTHERS],
        "goes": any(tried.values()),
        "export_refusal": permissions.refusal(request.user, permissions.READ),
    }
    return settings.render(request, "retention", "dashboard/retention/index.html", context, status)
