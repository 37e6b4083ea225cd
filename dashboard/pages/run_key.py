"""Forget the idempotency key of a run, so that the next trigger with it makes another."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from dashboard import permissions, presenters
from dashboard.pages import shell
from dashboard.pages.page import page, see_other
from dashboard.pages.run_finding import find
from runs.lifecycle import keys


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.OPERATE)
def reset(request: HttpRequest, run_id: str) -> HttpResponse:
    run = find(run_id)
    if request.method != "POST" or run.idempotency_key is None:
        context = {
            "run": run,
            "look": presenters.look(run),
            "refusal": permissions.refusal(request.user, permissions.OPERATE),
        }
        status = 409 if request.method == "POST" else 200
        return shell.render(request, "dashboard/run/reset_key.html", context, status=status)
    actor = permissions.actor(request.user)
    if keys.reset(run.task_id, run.idempotency_key, actor=actor):
        messages.success(request, "The key is free: the next trigger with it makes a new run.")
    else:
        messages.warning(request, "Nothing had the key any more: it had expired or been reset.")
    return see_other("run", run.pk)
