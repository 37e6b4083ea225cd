"""Notes on a run: the form of its page."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from dashboard import permissions
from dashboard.pages import run_page
from dashboard.pages.page import page, see_other
from runs.errors import InvalidOption
from runs.lifecycle import notes


@require_POST
@page(act=permissions.OPERATE)
def write(request: HttpRequest, run_id: str) -> HttpResponse:
    text = request.POST.get("text", "")
    try:
        notes.write_note(run_id, text, actor=permissions.actor(request.user))
    except InvalidOption as error:
        messages.error(request, f"Nothing was saved: {error}")
        return run_page.again(request, run_id, "detail", typed_note=text.replace("\x00", ""))
    messages.success(request, "The note is saved.")
    response = see_other("run", run_id, query="tab=detail")
    response["Location"] += "#notes"
    return response
