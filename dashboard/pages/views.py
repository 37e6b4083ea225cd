"""Saving views of the runs list, and the page on which they are kept."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.views.decorators.http import require_http_methods, require_POST

from dashboard import permissions, undo
from dashboard.pages import run_views, shell, view_rules
from dashboard.pages.page import page, see_other
from dashboard.pages.run_query import RunQuery
from runs import lifecycle
from runs.errors import InvalidOption
from runs.lifecycle import alerts
from runs.models import SavedView


@require_POST
@page()
def save(request: HttpRequest) -> HttpResponse:
    """The list as it is, under a name. A name that is taken by a view of one's own changes that."""
    owner = permissions.actor(request.user)
    query = RunQuery.parse(QueryDict(request.POST.get("query", "")))
    try:
        row = lifecycle.save_view(
            request.POST.get("name", ""),
            query.saved,
            owner=owner,
            is_shared=_shared(request),
        )
    except InvalidOption as error:
        messages.error(request, str(error))
        return see_other("runs", query=query.encode())
    alerts.follow_view(row.pk, view_rules.selection(row))
    if request.POST.get("default"):
        lifecycle.begin_with(row.pk, actor=owner)
    run_views.forget(owner)
    messages.success(request, f"Saved as “{row.name}”.")
    return see_other("runs", query=run_views.with_view(row.query, str(row.pk)))


@page()
def index(request: HttpRequest) -> HttpResponse:
    return _show(request)


@require_http_methods(["GET", "HEAD", "POST"])
@page()
def change(request: HttpRequest, number: int) -> HttpResponse:
    """Rename, share, delete or begin with one; what the button says."""
    if request.method != "POST":
        return see_other("views")
    owner, verb = permissions.actor(request.user), request.POST.get("do", "")
    gone = SavedView.objects.filter(pk=number).first() if verb == "delete" else None
    try:
        said = _did(request, verb, number, owner)
    except InvalidOption as error:
        return _show(request, str(error), number)
    run_views.forget(owner)
    if gone is not None and gone.owner == owner:
        fields: dict[str, Any] = {
            "name": gone.name,
            "query": gone.query,
            "shared": "1" if gone.is_shared else None,
        }
        undo.said(request, said, undo.to("view_save"), **fields)
    else:
        messages.success(request, said)
    return see_other("views")


def _did(request: HttpRequest, verb: str, number: int, owner: str) -> str:
    may_all = permissions.may(request.user, permissions.ADMINISTER)
    if verb == "delete":
        name = lifecycle.delete_view(number, actor=owner, any_owner=may_all)
        return f"Deleted “{name}”. Its address still shows the same runs."
    if verb == "begin":
        lifecycle.begin_with(number, actor=owner)
        return "Your list of runs begins with it now."
    if verb == "all":
        lifecycle.begin_with(None, actor=owner)
        return "Your list of runs begins with all runs now."
    row = lifecycle.change_view(
        number,
        actor=owner,
        name=request.POST.get("name", ""),
        is_shared=_shared(request),
        any_owner=may_all,
    )
    return f"Saved “{row.name}”."


def _shared(request: HttpRequest) -> bool:
    """Only who may act puts something into the navigation of the others."""
    asked = bool(request.POST.get("shared"))
    return asked and permissions.may(request.user, permissions.OPERATE)


def _show(request: HttpRequest, problem: str = "", number: int = 0) -> HttpResponse:
    owner = permissions.actor(request.user)
    context = {
        "system": run_views.system(),
        "views": run_views.saved(owner),
        "owner": owner,
        "may_all": permissions.may(request.user, permissions.ADMINISTER),
        "problem": problem,
        "wrong": str(number),
    }
    return shell.render(request, "dashboard/views/index.html", context, 422 if problem else 200)
