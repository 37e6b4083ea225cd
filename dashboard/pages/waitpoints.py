"""Wait tokens: the list, one of them, completing and timing out by hand."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from dashboard import permissions, presenters
from dashboard.pages import answers, documents, live, shell
from dashboard.pages.page import page, see_other
from runs.errors import InvalidOption, InvalidPayload, NotFound
from runs.lifecycle import tokens, waiting
from runs.models import Waitpoint
from runs.models.waitpoint import WaitpointQuerySet
from runs.reads import waits
from runs.states import TokenStatus

PAGE = 50
MAX_SEARCH = 200


@page()
def index(request: HttpRequest) -> HttpResponse:
    return shell.render_live(
        request,
        "dashboard/waitpoints/index.html",
        "dashboard/waitpoints/_table.html",
        _list(request),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.OPERATE)
def detail(request: HttpRequest, token_id: str) -> HttpResponse:
    token = _find(token_id)
    form = answers.form_of(token)
    if request.method != "POST":
        return _show(request, token, form)
    actor = permissions.actor(request.user)
    try:
        after = _ended(request, token, form, actor)
    except (InvalidPayload, InvalidOption) as error:
        return _show(request, token, form, problem=str(error))
    told = messages.success if after.completed_by == actor else messages.warning
    told(request, _said(after, actor))
    return see_other("waitpoint", token.pk)


def _ended(request: HttpRequest, token: Waitpoint, form: answers.Form, actor: str) -> Waitpoint:
    """Do what the button says. Raises InvalidPayload and InvalidOption."""
    asked = request.POST.get("action")
    if asked == "time_out":
        return tokens.time_out(token.pk, actor=actor)
    if asked == "fail":
        message = request.POST.get("message", "").replace("\x00", "")
        return tokens.fail(token.pk, message, by=actor)
    return tokens.complete(token.pk, form.read(request.POST), by=actor)


@require_POST
@page(act=permissions.OPERATE)
def skip(request: HttpRequest, run_id: str) -> HttpResponse:
    """End the time wait of a run."""
    waiting.skip(run_id, actor=permissions.actor(request.user))
    messages.success(request, "The wait is over: the run goes on as soon as a slot is free.")
    return see_other("run", run_id)


def _said(token: Waitpoint, actor: str) -> str:
    if token.completed_by != actor:
        return "Somebody was faster: the token had ended already, and its first answer counts."
    word = presenters.token_look(token).word.lower()
    return f"The token is {word}. The runs that waited for it go on."


def _find(token_id: str) -> Waitpoint:
    try:
        return tokens.find(token_id.replace("\x00", ""))
    except NotFound as error:
        raise Http404(str(error)) from None


def _show(
    request: HttpRequest, token: Waitpoint, form: answers.Form, problem: str = ""
) -> HttpResponse:
    refusal = permissions.refusal(request.user, permissions.OPERATE)
    context = {
        "token": token,
        "look": presenters.token_look(token),
        "url": "" if refusal else tokens.url(token.pk),
        "form": form,
        "problem": problem,
        "failed": token.status == TokenStatus.FAILED,
        "output": None if token.output is None else documents.show(token.output, "output"),
        "runs": [(run, presenters.look(run)) for run in waits.waiting_runs(token.pk)],
        "now": timezone.now(),
        "refusal": refusal,
    }
    status = 422 if problem else 200
    return shell.render(request, "dashboard/waitpoints/detail.html", context, status=status)


def _list(request: HttpRequest) -> dict[str, Any]:
    status = request.GET.get("status", "")
    search = request.GET.get("search", "").replace("\x00", "")[:MAX_SEARCH].strip()
    before = request.GET.get("before", "").replace("\x00", "")[:40]
    found = Waitpoint.objects.matching(search)
    if status in TokenStatus.values:
        found = found.filter(status=status)
    rows, older = (_pressing if status == TokenStatus.WAITING else _newest)(found, before)
    facts = [(token.pk, token.status) for token in rows]
    return {
        "rows": [(token, presenters.token_look(token)) for token in rows],
        "older": older,
        "before": before,
        "status": status,
        "statuses": TokenStatus.choices,
        "search": search,
        "token": live.token(facts),
        "now": timezone.now(),
    }


def _newest(found: WaitpointQuerySet, before: str) -> tuple[list[Waitpoint], str]:
    """The newest, and where the next page begins."""
    rows = list((found.filter(pk__lt=before) if before else found).newest_first()[: PAGE + 1])
    return rows[:PAGE], rows[PAGE - 1].pk if len(rows) > PAGE else ""


def _pressing(found: WaitpointQuerySet, before: str) -> tuple[list[Waitpoint], str]:
    """Those that time out next, and how many stand before the next page."""
    start = int(before) if before.isdecimal() and len(before) < 7 else 0
    rows = list(found.most_pressing_first()[start : start + PAGE + 1])
    return rows[:PAGE], str(start + PAGE) if len(rows) > PAGE else ""
