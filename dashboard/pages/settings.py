"""The Settings pages' own navigation."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from dashboard import permissions
from dashboard.pages import shell
from dashboard.pages.page import page, see_other

#: (name of the page, word, role it needs)
SECTIONS = (
    ("members", "Members", permissions.ADMINISTER),
    ("keys", "API keys", permissions.ADMINISTER),
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
