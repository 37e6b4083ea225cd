"""Ask a run to stop."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from dashboard import permissions, presenters
from dashboard.pages import shell
from dashboard.pages.page import page, see_other
from dashboard.pages.run_finding import find
from runs import lifecycle
from runs.models import Run

MAX_REASON = 1000


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.OPERATE)
def cancel(request: HttpRequest, run_id: str) -> HttpResponse:
    run = find(run_id)
    if request.method != "POST" or not presenters.can_cancel(run):
        return _confirm(request, run)
    reason = request.POST.get("reason", "").replace("\x00", "")[:MAX_REASON].strip()
    after = lifecycle.cancel(run.pk, actor=permissions.actor(request.user), reason=reason)
    messages.success(request, _outcome(after))
    return see_other("run", run.pk)


def _confirm(request: HttpRequest, run: Run) -> HttpResponse:
    context = {
        "run": run,
        "look": presenters.look(run),
        "can_cancel": presenters.can_cancel(run),
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
