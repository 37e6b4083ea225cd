"""The Settings pages' own navigation."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render as render_template
from django.urls import reverse

from dashboard import permissions
from dashboard.pages import shell
from dashboard.pages.page import page, see_other

#: (name of the page, word, role it needs)
SECTIONS = (
    ("members", "Members", permissions.ADMINISTER),
    ("keys", "API keys", permissions.ADMINISTER),
    ("alerts", "Alerts", permissions.ADMINISTER),
    ("retention", "Retention", permissions.ADMINISTER),
    ("limits", "Limits", permissions.VIEW),
    ("health", "Health", permissions.VIEW),
    ("audit", "Audit", permissions.ADMINISTER),
)


@page()
def index(request: HttpRequest) -> HttpResponse:
    """The first of them somebody may see."""
    for name, _, role in SECTIONS:
        if permissions.may(request.user, role):
            return see_other(name)
    return render(request, "", "dashboard/settings/nothing.html", {})


def render(
    request: HttpRequest, section: str, template: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    """A page of the section, with the others beside it."""
    sections = [
        (reverse(f"dashboard:{name}"), word, name == section)
        for name, word, role in SECTIONS
        if permissions.may(request.user, role)
    ]
    return shell.render(request, template, context | {"sections": sections}, status=status)


def live(request: HttpRequest, board: str, context: dict[str, Any]) -> HttpResponse:
    """A board alone, for a tick of the script; 204 where nothing has changed."""
    if context["token"] == request.GET.get("v"):
        return HttpResponse(status=204)
    return render_template(request, board, context)
