"""The frame around every page: navigation, environment, zone, colours, keyboard."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render as render_template
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from dashboard import permissions
from dashboard.pages import banners, cookies, keyboard, open_errors, run_views, zones
from runs import conf

#: (name of the page, word, glyph, role it needs); None is a gap.
NAVIGATION = (
    ("overview", "Tasks", "tasks", permissions.VIEW),
    ("runs", "Runs", "runs", permissions.VIEW),
    ("test", "Test", "test", permissions.VIEW),
    None,
    ("queues", "Queues", "queues", permissions.VIEW),
    ("schedules", "Schedules", "schedules", permissions.VIEW),
    ("batches", "Batches", "batches", permissions.VIEW),
    ("bulk_actions", "Bulk actions", "replay", permissions.VIEW),
    ("waitpoints", "Wait tokens", "waiting", permissions.VIEW),
    None,
    ("errors", "Errors", "errors", permissions.VIEW),
    ("logs", "Logs", "logs", permissions.VIEW),
    ("metrics", "Metrics", "metrics", permissions.VIEW),
    ("deploys", "Versions", "versions", permissions.VIEW),
    ("workers", "Workers", "workers", permissions.VIEW),
    None,
    ("variables", "Variables", "variables", permissions.VIEW),
    ("settings", "Settings", "settings", permissions.VIEW),
)
#: Pages that belong to an entry of another name.
WITHIN = {
    "settings": {
        "alert_channel", "alert_channel_new", "alert_delete", "alert_rule", "alert_rule_new", "alerts",
        "audit", "key_revoke", "keys", "limits", "member", "members", "retention",
    },
}  # fmt: skip


def render(
    request: HttpRequest, template: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    """A whole page; fragments of pages do without the shell's context."""
    return render_template(request, template, context | {"shell": shell(request)}, status=status)


def render_live(
    request: HttpRequest, template: str, board: str, context: dict[str, Any]
) -> HttpResponse:
    """A whole page, or its `board` alone for a tick of the script; 204 where nothing has changed.

    The context's `token` stands for what the board shows.
    """
    if not request.headers.get("HX-Request"):
        return render(request, template, context)
    if context["token"] == request.GET.get("v"):
        return HttpResponse(status=204)
    return render_template(request, board, context)


def shell(request: HttpRequest) -> dict[str, Any]:
    """What `dashboard/base.html` shows."""
    zone = zones.of(request)
    user = getattr(request, "user", AnonymousUser())
    tastes = {name: taste.of(request) for name, taste in cookies.TASTES.items()}
    return {
        "base": "dashboard/base.html" if user.is_authenticated else "dashboard/bare.html",
        "user": user,
        "theme": tastes["theme"],
        "themes": cookies.TASTES["theme"].words.items(),
        "keys": tastes["keys"] if tastes["keys"] != "off" else "",
        "tastes": tastes,
        "banners": banners.shown() if permissions.may(user, permissions.VIEW) else [],
        "bindings": keyboard.bindings(),
        "zone": zones.label(zone, timezone.now()),
        "zone_name": getattr(zone, "key", "UTC"),
        "zone_of_link": bool(zones.find(request.GET.get("tz", ""))),
        "environment": conf.get("ENVIRONMENT"),
        "navigation": _navigation(request, user),
        "counts": _counts(user),
        "views": _views(request, user),
        "may_operate": permissions.may(user, permissions.OPERATE),
        "operate_refusal": permissions.refusal(user, permissions.OPERATE),
        "admin_url": _if_there("admin:index") if user.is_staff else "",
        "logout_url": _if_there("logout"),
        "password_url": _if_there("own-password") if _has_password(user) else "",
        "path": request.get_full_path(),
    }


def _navigation(
    request: HttpRequest, user: permissions.Person
) -> list[tuple[str, str, str, bool] | None]:
    """(address, word, glyph, whether this is the page) for both menus, the wide and the small."""
    here = request.resolver_match.url_name if request.resolver_match else ""
    here = next((entry for entry, names in WITHIN.items() if here in names), here)
    shown = [
        None if entry is None else (reverse(f"dashboard:{entry[0]}"), *entry[1:3], entry[0] == here)
        for entry in NAVIGATION
        if entry is None or entry[3] == permissions.VIEW or permissions.may(user, entry[3])
    ]
    return shown[: -1 if shown[-1] is None else None]  # no gap before nothing


def pages(user: permissions.Person) -> list[tuple[str, str]]:
    """(word, address) of what is in the navigation."""
    return [
        (entry[1], reverse(f"dashboard:{entry[0]}"))
        for entry in NAVIGATION
        if entry and (entry[3] == permissions.VIEW or permissions.may(user, entry[3]))
    ]


def _counts(user: permissions.Person) -> dict[str, str]:
    """What stands beside entries of the navigation, by their glyphs."""
    return {"errors": open_errors.count()} if permissions.may(user, permissions.VIEW) else {}


def _views(request: HttpRequest, user: permissions.Person) -> list[tuple[str, str, bool]]:
    """(address, word, whether it is this) of the views of the runs list."""
    if not permissions.may(user, permissions.VIEW):
        return []
    system, mine = run_views.system(), run_views.saved(permissions.actor(user))
    here = request.GET.get("view", "")
    return [
        (view.address, view.name, view.id == here) for view in (*system, *mine[: run_views.SHOWN])
    ]


def _has_password(user: permissions.Person) -> bool:
    return user.is_authenticated and user.has_usable_password()


def _if_there(name: str) -> str:
    """A host project need not have every page."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""
