"""Cancel or replay the runs picked on the list, after one look at what that means."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from dashboard import permissions, presenters
from dashboard.pages import refusals, run_rows, shell
from dashboard.pages.cancel import MAX_REASON
from dashboard.pages.page import page, see_other
from dashboard.pages.run_query import RunQuery
from dashboard.pages.trigger_form import new_token
from runs import conf, lifecycle
from runs.errors import RunsError
from runs.lifecycle.requests import once
from runs.models import Run

#: Each is done on its own while the browser waits. A page of the list holds a hundred.
MOST = 500
SHOWN = 10
TOLD = 3


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.OPERATE)
def cancel(request: HttpRequest) -> HttpResponse:
    return _bulk(request, Verb("Cancel", "danger", presenters.can_cancel, _cancel, is_production()))


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.OPERATE)
def replay(request: HttpRequest) -> HttpResponse:
    return _bulk(request, Verb("Replay", "primary", lambda run: True, _replay))


@dataclass(frozen=True, slots=True)
class Verb:
    """What a button does: to which of the picked runs, and whether their number is typed first."""

    word: str
    css: str
    fits: Callable[[Run], bool]
    do: Callable[[HttpRequest, list[Run]], HttpResponse]
    is_guarded: bool = False


def _bulk(request: HttpRequest, verb: Verb) -> HttpResponse:
    ids = list(dict.fromkeys(_form(request).getlist("run")))
    if len(ids) > MOST:
        said = f"These are {len(ids)} runs; {MOST} at most go at once. Nothing was changed."
        return refusals.refuse(request, 422, "Too many runs", said)
    picked = _find(ids)
    runs = [run for run in picked if verb.fits(run)]
    typed = request.POST.get("typed", "").strip()
    confirmed = request.method == "POST" and (not verb.is_guarded or typed == str(len(runs)))
    if runs and confirmed:
        # all of them: what ended in the meantime is counted in what is said
        return verb.do(request, picked)
    context = {
        "verb": verb,
        "title": f"{verb.word} {len(runs)} run{'' if len(runs) == 1 else 's'}",
        "runs": runs,
        "left": len(picked) - len(runs),
        "gone": len(ids) - len(picked),
    }
    # sent, and here again: nothing was done
    status = 422 if request.method == "POST" else 200
    return shell.render(request, "dashboard/bulk.html", context | _shown(request, runs), status)


def _shown(request: HttpRequest, runs: list[Run]) -> dict[str, Any]:
    """What somebody wants to know before they agree."""
    back = _back(request).encode()
    return {
        "first": run_rows.rows(runs[:SHOWN], timezone.now(), ()),
        "more": len(runs[SHOWN:]),
        "looks": Counter(map(presenters.look, runs)).most_common(),
        "tasks": Counter(run.task_id for run in runs).most_common(SHOWN),
        "moving": sum(map(presenters.is_moving, runs)),
        "token": new_token(),
        "back": back,
        "address": f"{reverse('dashboard:runs')}?{back}",
        "refusal": permissions.refusal(request.user, permissions.OPERATE),
    }


def _cancel(request: HttpRequest, runs: list[Run]) -> HttpResponse:
    actor = permissions.actor(request.user)
    reason = request.POST.get("reason", "").replace("\x00", "")[:MAX_REASON].strip()
    words: Counter[str] = Counter()
    for run in runs:
        try:
            after = lifecycle.cancel(run.pk, actor=actor, reason=reason)
            words[presenters.look(after).word.lower()] += 1
        except RunsError:
            words["gone"] += 1
    now = ", ".join(f"{count} {word}" for word, count in words.most_common())
    messages.success(request, f"Of {len(runs)} runs: {now}.")
    return see_other("runs", query=_back(request).encode())


def _replay(request: HttpRequest, runs: list[Run]) -> HttpResponse:
    actor, token = permissions.actor(request.user), request.POST.get("token", "")
    # oldest first, so that the new ones come in the order of the old
    refused = list(filter(None, (_replay_one(run, actor, token) for run in runs[::-1])))
    if made := len(runs) - len(refused):
        messages.success(request, f"Replayed {made} of {len(runs)} runs.")
    for sentence in refused[:TOLD]:
        messages.error(request, sentence)
    if untold := len(refused[TOLD:]):
        messages.error(request, f"{untold} more were not replayed.")
    # the new runs stand on top, where a filter for the old ones would hide them
    return see_other("runs", query=_back(request).cleared().encode())


def _replay_one(run: Run, actor: str, token: str) -> str:
    """Why it was refused, or empty. A form that is sent twice makes one run of each."""
    try:
        once(run.pk, token, lambda: lifecycle.replay(run.pk, actor=actor))
    except RunsError as error:
        return f"{presenters.short_id(run.pk)} was not replayed: {error}"
    return ""


def _find(ids: list[str]) -> list[Run]:
    known = [run_id for run_id in ids if "\x00" not in run_id]
    return list(Run.objects.only(*run_rows.COLUMNS).filter(pk__in=known).order_by("-id"))


def _form(request: HttpRequest) -> QueryDict:
    return request.POST if request.method == "POST" else request.GET


def _back(request: HttpRequest) -> RunQuery:
    """The list they were picked on."""
    return RunQuery.parse(QueryDict(_form(request).get("back", "")))


def is_production() -> bool:
    return bool(conf.get("ENVIRONMENT")["kind"] == "prod")
