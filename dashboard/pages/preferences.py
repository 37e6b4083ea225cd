"""What a viewer chose for this browser: colours, time zone, shortcuts. Kept in cookies."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from dashboard.pages import cookies, zones
from dashboard.pages.page import page

YEAR = 365 * 86400


@require_POST
@page()
def save(request: HttpRequest) -> HttpResponse:
    response = HttpResponseRedirect(_back(request))
    response.status_code = 303
    chosen = {
        cookies.THEME: request.POST.get("theme", "")
        if request.POST.get("theme") in cookies.THEMES
        else "",
        cookies.ZONE: _zone(request.POST.get("tz", "")),
        cookies.KEYS: request.POST.get("keys", "")
        if request.POST.get("keys") in ("on", "off")
        else "",
    }
    for name, value in chosen.items():
        if value:
            response.set_cookie(
                name, value, max_age=YEAR, samesite="Lax", httponly=True, secure=request.is_secure()
            )
    return response


def _zone(name: str) -> str:
    return name if zones.find(name) else ""


def _back(request: HttpRequest) -> str:
    wanted = request.POST.get("next", "")
    host = {request.get_host()}
    if url_has_allowed_host_and_scheme(wanted, host, require_https=request.is_secure()):
        return wanted
    return reverse("dashboard:overview")
