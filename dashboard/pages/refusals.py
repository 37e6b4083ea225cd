"""Pages that say no, in the style of the others. Also the project's error handlers."""

import logging
import secrets

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.templatetags.static import static

from dashboard import presenters
from dashboard.pages import shell, zones
from runs import conf
from runs.errors import IllegalTransition
from runs.models import Run

logger = logging.getLogger(__name__)
TEMPLATE = "dashboard/refusal.html"


def refuse(request: HttpRequest, status: int, title: str, sentence: str) -> HttpResponse:
    """A page with one sentence on what is wrong."""
    context = {"title": title, "sentence": sentence, "status": status}
    return shell.render(request, TEMPLATE, context, status=status)


def not_found(request: HttpRequest, sentence: str) -> HttpResponse:
    tail = request.path.rstrip("/").rpartition("/")[2]
    context = {
        "title": "Not found",
        "sentence": sentence or "There is no such page.",
        "status": 404,
        "search": tail,
    }
    return shell.render(request, TEMPLATE, context, status=404)


def forbidden(request: HttpRequest, sentence: str) -> HttpResponse:
    return refuse(request, 403, "Not allowed", sentence)


def conflict(request: HttpRequest, error: IllegalTransition) -> HttpResponse:
    """The run moved on while the person looked at the form."""
    run = Run.objects.light().filter(pk=error.run_id).first()
    context = {
        "title": "The run has moved on",
        "sentence": str(error),
        "status": 409,
        "run": run,
        "look": presenters.look(run) if run else None,
    }
    return shell.render(request, TEMPLATE, context, status=409)


def too_large(request: HttpRequest) -> HttpResponse:
    limit = presenters.size_text(conf.get("PAYLOAD_LIMIT"))
    sentence = f"A payload may have {limit} at most. Store the data elsewhere and pass a reference."
    return refuse(request, 413, "Too large", sentence)


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    return not_found(request, "")


def handler403(request: HttpRequest, exception: Exception) -> HttpResponse:
    return forbidden(request, "Your account may not do this.")


def handler400(request: HttpRequest, exception: Exception) -> HttpResponse:
    return refuse(request, 400, "Bad request", "The request makes no sense to this server.")


def handler500(request: HttpRequest) -> HttpResponse:
    # no request, no context processors: whatever failed may be what they need
    reference = secrets.token_hex(6)
    # Django logs the traceback itself, when it has this answer
    logger.error("A page broke; who asked for it was told the reference %s.", reference)
    context = {"stylesheet": _stylesheet(), "reference": reference}
    return HttpResponse(render_to_string("dashboard/broken.html", context), status=500)


def _stylesheet() -> str:
    """Its address, or nothing where the static files were never collected."""
    try:
        return static("dashboard/trackside.css")
    except ValueError:
        return ""


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """For the setting CSRF_FAILURE_VIEW."""
    sentence = (
        "The form could not be checked: its page was open too long, or cookies are off. "
        "Go back, reload the page and send it again."
    )
    with zones.active(request):
        return refuse(request, 403, "Form expired", sentence)
