"""One error: its newest stack, when and in which versions it failed, whose runs, and what was decided."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from dashboard import permissions, presenters, veiled
from dashboard.pages import charts, error_actions, open_errors, shell, tracebacks
from dashboard.pages.error_query import PERIODS, ErrorQuery
from dashboard.pages.page import page
from runs.lifecycle.errorgroups import condition
from runs.models import Attempt, ErrorEvent, ErrorGroup, Run
from runs.reads import breaks, errors, factors
from runs.reads.deadline import TooSlow, deadline
from runs.states import UNSUCCESSFUL, RunStatus

PATIENCE = 1.5
RUNS, EVENTS = 10, 100
#: Versions with a colour of their own, the newest; all others are one.
TONES = ("bad", "warn", "parked", "active")
#: Runs a page of replays holds, and failures that are looked through for them.
MOST_REPLAYED, LOOKED_AT = 100, 1000
#: Of the address and the page: where shared factors stand.
SHARED = "shared"


@dataclass(frozen=True, slots=True)
class VersionRow:
    """Failures of one version within the window, and their share."""

    name: str
    failures: int
    share: float
    address: str


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.OPERATE)
def detail(request: HttpRequest, fingerprint: str) -> HttpResponse:
    group = find(fingerprint)
    if request.method != "POST":
        is_part = request.headers.get("HX-Target") == SHARED
        return _shared(request, group) if is_part else show(request, group)
    answer = error_actions.act(request, group)
    if isinstance(answer, error_actions.Refused):
        return show(request, find(fingerprint), answer)
    open_errors.forget()
    return answer


def find(fingerprint: str) -> ErrorGroup:
    group = ErrorGroup.objects.filter(pk=fingerprint.removeprefix("error_")[:16]).first()
    if group is None:
        raise Http404(f"There is no error {fingerprint[:40]}.")
    return group


def show(
    request: HttpRequest, group: ErrorGroup, refused: error_actions.Refused | None = None
) -> HttpResponse:
    query, now = ErrorQuery.parse(request.GET), timezone.now()
    context = {
        "group": group,
        "look": presenters.group_look(group),
        "condition": condition(group) if group.status == "ignored" else "",
        "periods": [(name, words) for name, (words, _) in PERIODS.items()],
        "query": query,
        "words": PERIODS[query.period][0],
        "events": list(ErrorEvent.objects.filter(fingerprint=group.pk).order_by("-id")[:EVENTS]),
        "refusal": permissions.refusal(request.user, permissions.OPERATE),
        "alert_refusal": permissions.refusal(request.user, permissions.ADMINISTER),
        "all_runs": _runs_address(error=group.pk),
        **_activity(group, query, now),
        **_newest(group),
        **_patiently(request, group),
        **error_actions.forms_of(group, refused),
    }
    status = refused.status if refused else 200
    return shell.render(request, "dashboard/errors/detail.html", context, status=status)


def _activity(group: ErrorGroup, query: ErrorQuery, now: datetime) -> dict[str, Any]:
    window = query.window(now)
    told = errors.activity([group.pk], window)[group.pk]
    # the version seen last has the strongest colour
    names = sorted(told.stacks, key=lambda name: _last_bar(told.stacks[name]), reverse=True)
    shown, others = names[: len(TONES)], names[len(TONES) :]
    series = [charts.Series(_version(name), tone) for name, tone in zip(shown, TONES, strict=False)]
    stacks = [told.stacks[name] for name in shown]
    if others:
        series.append(charts.Series(f"{len(others)} more", "idle"))
        stacks.append(
            [sum(told.stacks[name][bar] for name in others) for bar in range(window.bars)]
        )
    buckets = [
        charts.Bucket(
            _label(window.beginning(bar), query),
            tuple(stack[bar] for stack in reversed(stacks)),
            is_partial=bar == window.bars - 1,
        )
        for bar in range(window.bars)
    ]
    title = f"Failures in the last {PERIODS[query.period][0]}"
    chart = charts.stacked("failures", title, series[::-1], buckets, note=f"{told.failures:,}")
    return {"activity": told, "chart": chart, "versions": _versions(group, told)}


def _last_bar(stack: list[int]) -> int:
    return max((bar for bar, count in enumerate(stack) if count), default=-1)


def _label(moment: datetime, query: ErrorQuery) -> str:
    local = timezone.localtime(moment)
    if query.length.days <= 1:
        return f"{local:%H:%M}"
    return f"{local:%-d %b %H:%M}" if query.length.days <= 7 else f"{local:%-d %b}"


def _version(name: str) -> str:
    return name or "no version"


def _versions(group: ErrorGroup, told: errors.Activity) -> list[VersionRow]:
    found = sorted(told.by_version.items(), key=lambda one: -one[1])
    return [
        VersionRow(
            _version(name),
            count,
            count / told.failures,
            _runs_address(error=group.pk, version=name) if name else "",
        )
        for name, count in found[:10]
    ]


def _newest(group: ErrorGroup) -> dict[str, Any]:
    """The stack of the last failure that is still there."""
    found = Attempt.objects.filter(run_id=group.last_run_id, number=group.last_attempt)
    error = found.values_list("error", flat=True).first()
    kept = None
    if error is None:
        kept = Run.objects.filter(pk=group.last_run_id).values_list("error", "status").first()
        error = kept[0] if kept else None
    never = kept is not None and kept[1] == RunStatus.EXPIRED
    return {"failure": tracebacks.read(error), "place": "newest", "never_started": never}


def _patiently(request: HttpRequest, group: ErrorGroup) -> dict[str, Any]:
    """Runs, when it broke, and shared factors; what takes too long is left out."""
    found: dict[str, Any] = {"runs": []}
    try:
        with deadline(PATIENCE):
            failing = errors.newest_failures(group.pk, LOOKED_AT)
            broke = breaks.around(group)
            known = Run.objects.light().in_bulk({*list(failing)[:RUNS], *filter(None, broke)})
            if SHARED in request.GET:
                found["factors"] = factors.of(group, veiled.payload)
    except TooSlow as error:
        return found | {"too_slow": error}
    runs = [known[run_id] for run_id in list(failing)[:RUNS] if run_id in known]
    ended = [run_id for run_id, by_it in failing.items() if by_it][:MOST_REPLAYED]
    return found | {
        "break": breaks.of(broke, known),
        "runs": [(run, presenters.look(run)) for run in runs],
        "failed_count": len(ended),
        "replay": _replay_address(group) if ended else "",
    }


def _shared(request: HttpRequest, group: ErrorGroup) -> HttpResponse:
    """What a page asks for once it is shown: looking into hundreds of runs takes its time."""
    context: dict[str, Any] = {"group": group}
    try:
        with deadline(PATIENCE):
            context["factors"] = factors.of(group, veiled.payload)
    except TooSlow as error:
        context["too_slow"] = error
    return render(request, "dashboard/errors/_factors.html", context)


def _replay_address(group: ErrorGroup) -> str:
    """Where all runs are replayed that ended by this error."""
    asked = [("action", "replay"), ("error", group.pk), ("period", "90d")]
    asked += [("status", str(status)) for status in sorted(UNSUCCESSFUL)]
    return f"{reverse('dashboard:bulk_new')}?{urlencode(asked)}"


def _runs_address(**asked: str) -> str:
    return reverse("dashboard:runs") + "?" + urlencode(asked | {"period": "90d"})
