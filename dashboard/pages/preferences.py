"""What a viewer chose for this browser: colours, time zone, shortcuts. Kept in cookies."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from dashboard.pages import cookies, shell, zones
from dashboard.pages.page import page

YEAR = 365 * 86400


@page()
def me(request: HttpRequest) -> HttpResponse:
    """Everything there is to choose."""
    tastes = [(taste, taste.of(request)) for taste in cookies.TASTES.values()]
    context = {"tastes": tastes, "zones": sorted(zones.names())}
    return shell.render(request, "dashboard/me.html", context)


@require_POST
@page()
def save(request: HttpRequest) -> HttpResponse:
    """Whatever the form has; what it has not stays."""
    back = _back(request)
    response = HttpResponseRedirect(back)
    response.status_code = 303
    for name, taste in cookies.TASTES.items():
        if (value := request.POST.get(name, "")) in taste.words:
            _keep(request, response, taste.cookie, value)
    if zones.find(zone := request.POST.get("tz", "").strip()):
        _keep(request, response, cookies.ZONE, zone)
    elif zone:
        messages.error(request, f"There is no time zone “{zone[:60]}”; the old one stays.")
    if back == reverse("dashboard:me"):
        messages.success(request, "Saved for this browser.")
    return response


def _keep(request: HttpRequest, response: HttpResponse, name: str, value: str) -> None:
    # the script reads two of them again to change them without a form; none is a secret
    response.set_cookie(name, value, max_age=YEAR, samesite="Lax", secure=request.is_secure())


def _back(request: HttpRequest) -> str:
    wanted = request.POST.get("next", "")
    host = {request.get_host()}
    if url_has_allowed_host_and_scheme(wanted, host, require_https=request.is_secure()):
        return wanted
    return reverse("dashboard:overview")
