"""The frame around every page: navigation, environment, zone, colours, keyboard."""

from functools import lru_cache
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render as render_template
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, get_script_prefix, reverse
from django.utils import timezone
from django.utils.safestring import SafeString

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
        "audit", "health", "key_revoke", "keys", "limits", "member", "members", "retention",
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
    shown = banners.shown() if permissions.may(user, permissions.VIEW) else []
    return {
        "base": "dashboard/base.html" if user.is_authenticated else "dashboard/bare.html",
        "user": user,
        "theme": tastes["theme"],
        "themes": cookies.TASTES["theme"].words.items(),
        "keys": tastes["keys"] if tastes["keys"] != "off" else "",
        "tastes": tastes,
        "banners": shown,
        "state": banners.state(shown),
        "bindings": keyboard.script(get_script_prefix()),
        "zone": zones.label(zone, timezone.now()),
        "zone_name": getattr(zone, "key", "UTC"),
        "zone_of_link": bool(zones.find(request.GET.get("tz", ""))),
        "environment": conf.get("ENVIRONMENT"),
        "navigation": _navigation(request, user),
        "may_operate": permissions.may(user, permissions.OPERATE),
        "operate_refusal": permissions.refusal(user, permissions.OPERATE),
        "logout_url": _if_there("logout"),
        "password_url": _if_there("own-password") if _has_password(user) else "",
        "path": request.get_full_path(),
    }


def _navigation(request: HttpRequest, user: permissions.Person) -> SafeString:
    """Of both menus, the wide and the small."""
    match = request.resolver_match
    return _nav(
        match.url_name or "" if match else "",
        tuple(entry[0] for entry in NAVIGATION if entry and _is_for(user, entry[3])),
        _open_errors(user),
        tuple(_views(request, user)),
        _if_there("admin:index") if user.is_staff else "",
        get_script_prefix(),
    )


# A page shows it twice, and most pages show the same.
@lru_cache(maxsize=200)
def _nav(
    page: str,
    names: tuple[str, ...],
    errors: str,
    views: tuple[tuple[str, str, bool], ...],
    admin_url: str,
    prefix: str,
) -> SafeString:
    here = next((entry for entry, within in WITHIN.items() if page in within), page)
    shown = [
        None if entry is None else (reverse(f"dashboard:{entry[0]}"), *entry[1:3], entry[0] == here)
        for entry in NAVIGATION
        if entry is None or entry[0] in names
    ]
    context = {
        "menu": shown[: -1 if shown[-1] is None else None],  # no gap before nothing
        "page": page,
        "errors": errors,
        "views": views,
        "admin_url": admin_url,
    }
    return render_to_string("dashboard/partials/_nav.html", context)


def _is_for(user: permissions.Person, role: str) -> bool:
    return role == permissions.VIEW or permissions.may(user, role)


def pages(user: permissions.Person) -> list[tuple[str, str]]:
    """(word, address) of what is in the navigation."""
    return [
        (entry[1], reverse(f"dashboard:{entry[0]}"))
        for entry in NAVIGATION
        if entry and _is_for(user, entry[3])
    ]


def _open_errors(user: permissions.Person) -> str:
    """What stands beside Errors."""
    return open_errors.count() if permissions.may(user, permissions.VIEW) else ""


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
