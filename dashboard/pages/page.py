"""What every page shares: who may see it, in which time zone, and how refusals look."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from dashboard import permissions, sight
from dashboard.pages import banners, refusals, zones
from dashboard.pages.compressing import compressed
from dashboard.people import refused
from runs import conf
from runs.errors import IllegalTransition, NotFound, PayloadTooLarge

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]

#: The header of answers to the script: how Trackside is.
STATE = "X-Trackside-State"
#: Room for the other fields of a form beside its payload.
FORM_ROOM = 500_000


def page(role: str = permissions.VIEW, *, act: str = "") -> Callable[[View[P]], View[P]]:
    """A page for people with `role`; sending its form needs `act` where that is more."""

    def decorate(view: View[P]) -> View[P]:
        protected = csrf_protect(_guarded(view, role, act))

        @wraps(view)
        def handle(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if _too_large(request):
                return refusals.too_large(request)
            seen = sight.of(request.user)
            with zones.active(request), sight.using(seen):
                response: HttpResponseBase = protected(request, *args, **kwargs)
            sight.lasting(response, seen)
            _tell_state(request, response)
            patch_cache_control(response, private=True, no_cache=True)
            return compressed(request, response)

        # the size is checked before anything, the middleware included, reads the form
        return csrf_exempt(handle)

    return decorate


def _guarded(view: View[P], role: str, act: str) -> View[P]:
    @wraps(view)
    def handle(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return _login(request)
        needed = act if act and request.method == "POST" else role
        refusal = permissions.refusal(request.user, permissions.VIEW)
        if refusal := refusal or permissions.refusal(request.user, needed):
            refused.note(request, refusal)
            return refusals.forbidden(request, refusal)
        return _answer(view, request, *args, **kwargs)

    return handle


def _answer(
    view: View[P], request: HttpRequest, *args: P.args, **kwargs: P.kwargs
) -> HttpResponseBase:
    try:
        return view(request, *args, **kwargs)
    except (Http404, NotFound) as error:
        return refusals.not_found(request, str(error))
    except IllegalTransition as error:
        return refusals.conflict(request, error)
    except (PayloadTooLarge, RequestDataTooBig):
        return refusals.too_large(request)


def see_other(name: str, *args: object, query: str = "") -> HttpResponseRedirect:
    """303 to the page called `name`: the answer to every form that did something."""
    address = reverse(f"dashboard:{name}", args=args)
    response = HttpResponseRedirect(f"{address}?{query}" if query else address)
    response.status_code = 303
    return response


def _tell_state(request: HttpRequest, response: HttpResponseBase) -> None:
    """The icon of an open tab follows: its script asks for parts of pages, which have none."""
    if request.headers.get("HX-Request") and permissions.may(request.user, permissions.VIEW):
        response[STATE] = banners.state(banners.shown())


def _login(request: HttpRequest) -> HttpResponse:
    if request.headers.get("HX-Request"):
        # a fragment of the login page in the middle of another page helps nobody
        return HttpResponse(status=401, headers={"HX-Refresh": "true"})
    return redirect_to_login(request.get_full_path())


def _too_large(request: HttpRequest) -> bool:
    length = request.META.get("CONTENT_LENGTH") or "0"
    allowed: int = conf.get("PAYLOAD_LIMIT") + conf.get("METADATA_LIMIT") + FORM_ROOM
    return length.isdecimal() and int(length) > allowed
