"""The keyboard's help sheet."""

from django.http import HttpRequest, HttpResponse

from dashboard.pages import shell
from dashboard.pages.keyboard import SHORTCUTS, Shortcut
from dashboard.pages.page import page


@page()
def sheet(request: HttpRequest) -> HttpResponse:
    groups: dict[str, list[Shortcut]] = {}
    for shortcut in SHORTCUTS:
        groups.setdefault(shortcut.where, []).append(shortcut)
    return shell.render(request, "dashboard/shortcuts.html", {"groups": groups.items()})
