from django.conf import settings
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from dashboard.accounts import first


@never_cache
@sensitive_variables("token")
@require_http_methods(["GET", "HEAD", "POST"])
def first_login(request: HttpRequest, pk: int, token: str) -> HttpResponse:
    # Only the POST spends the link: a preview or prefetch of it changes nothing.
    user = first.find(pk, token)
    if user is None:
        return _form(request, valid=False, status=410)
    if request.method != "POST":
        return _form(request, valid=True)
    if not first.spend(user):
        return _form(request, valid=False, status=410)
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return redirect(resolve_url(settings.LOGIN_REDIRECT_URL))


def _form(request: HttpRequest, *, valid: bool, status: int = 200) -> HttpResponse:
    context = {"valid": valid, "login_url": resolve_url(settings.LOGIN_URL)}
    return render(request, "registration/first_login.html", context, status=status)
