from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model, login
from django.contrib.auth.forms import SetPasswordForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from dashboard.accounts import first
from dashboard.accounts.login import note_login
from dashboard.people.tokens import invitation_tokens


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
    note_login(user)
    return redirect(resolve_url(settings.LOGIN_REDIRECT_URL))


@never_cache
@sensitive_variables("token")
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, pk: int, token: str) -> HttpResponse:
    """Choose a password, and be logged in."""
    user = get_user_model()._default_manager.filter(pk=pk, is_active=True).first()
    if user is None or not invitation_tokens.check_token(user, token):
        return _invited(request, None, 410)
    form = SetPasswordForm(user, request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return _invited(request, form, 422 if request.method == "POST" else 200)
    form.save()
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    note_login(user)
    return redirect(resolve_url(settings.LOGIN_REDIRECT_URL))


def _invited(
    request: HttpRequest, form: "SetPasswordForm[Any] | None", status: int
) -> HttpResponse:
    context = {"form": form, "login_url": resolve_url(settings.LOGIN_URL)}
    return render(request, "registration/invitation.html", context, status=status)


def _form(request: HttpRequest, *, valid: bool, status: int = 200) -> HttpResponse:
    context = {"valid": valid, "login_url": resolve_url(settings.LOGIN_URL)}
    return render(request, "registration/first_login.html", context, status=status)
