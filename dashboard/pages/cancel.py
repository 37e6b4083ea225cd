"""Ask a run to stop: in some seconds, in which it can be undone, or at once."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.views.decorators.http import require_http_methods

from dashboard import permissions, presenters, undo
from dashboard.pages import shell
from dashboard.pages.page import page, see_other
from dashboard.pages.run_finding import find
from dashboard.pages.run_query import RunQuery
from runs import conf, lifecycle
from runs.lifecycle import withdrawing
from runs.models import PendingCancel, Run

MAX_REASON = 1000


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.OPERATE)
def cancel(request: HttpRequest, run_id: str) -> HttpResponse:
    run, what = find(run_id), request.POST.get("do", "")
    if request.method == "POST" and what == "undo":
        return _withdrawn(request, run)
    if request.method != "POST" or not presenters.can_cancel(run):
        return _confirm(request, run)
    reason = request.POST.get("reason", "").replace("\x00", "")[:MAX_REASON].strip()
    actor = permissions.actor(request.user)
    if what == "now":
        return _at_once(request, run, actor, reason)
    asked = lifecycle.cancel_soon(run.pk, actor=actor, reason=reason)
    return _asked(request, run, asked) if asked else _confirm(request, find(run.pk))


def _at_once(request: HttpRequest, run: Run, actor: str, reason: str) -> HttpResponse:
    if not lifecycle.cancel_now(run.pk):
        lifecycle.cancel(run.pk, actor=actor, reason=reason)
    messages.success(request, _outcome(find(run.pk)))
    return see_other("run", run.pk)


def _asked(request: HttpRequest, run: Run, asked: PendingCancel) -> HttpResponse:
    """The run's page says so by itself; the list is told."""
    if "back" not in request.POST:
        return see_other("run", run.pk)
    said = f"{presenters.short_id(run.pk)} is canceled in {withdrawing.SECONDS:g} s."
    address = undo.to("cancel", run.pk)
    back = request.POST["back"]
    undo.said(request, said, address, until=asked.due_at, do="undo", back=back)
    return _list(back)


def _withdrawn(request: HttpRequest, run: Run) -> HttpResponse:
    """It goes on, if nobody was faster."""
    if lifecycle.withdraw_cancel(run.pk, actor=permissions.actor(request.user)):
        messages.success(request, f"{presenters.short_id(run.pk)} goes on: its cancel was undone.")
    else:
        messages.error(request, f"Too late to undo it. {_outcome(run)}")
    return _list(request.POST["back"]) if "back" in request.POST else see_other("run", run.pk)


def _list(back: str) -> HttpResponse:
    """The list somebody came from."""
    return see_other("runs", query=RunQuery.parse(QueryDict(back)).encode())


def _confirm(request: HttpRequest, run: Run) -> HttpResponse:
    context = {
        "run": run,
        "look": presenters.look(run),
        "can_cancel": presenters.can_cancel(run),
        "seconds": withdrawing.SECONDS,
        "grace": presenters.duration_text(conf.get("CANCEL_GRACE_SECONDS")),
        "refusal": permissions.refusal(request.user, permissions.OPERATE),
    }
    # somebody was faster: the form comes back with the new state
    status = 409 if request.method == "POST" else 200
    return shell.render(request, "dashboard/cancel.html", context, status=status)


def _outcome(run: Run) -> str:
    word = presenters.look(run).word.lower()
    if run.is_canceling:
        return "Asked the run to stop. It shows as canceling until its code has stopped."
    return f"The run is {word}."
