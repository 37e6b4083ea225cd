"""Logging in with a password, slowly for those who guess; changing one's own."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from dashboard.people import throttle
from dashboard.permissions import actor
from runs.lifecycle import audit


class Login(LoginView):
    """Django's; too many tries are refused before the password is looked at."""

    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        address, name = _who(request)
        try:
            throttle.take(address, name)
        except throttle.Refused as refused:
            return self._slowed(name, refused)
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        throttle.succeeded(*_who(self.request))
        response = super().form_valid(form)
        note_login(form.get_user())
        return response

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        _record(_who(self.request)[1], "account.failed")
        return super().form_invalid(form)

    def _slowed(self, name: str, refused: throttle.Refused) -> HttpResponse:
        if refused.is_first:
            _record(name, "account.slowed")
        minutes = -(-refused.wait // 60)
        context = self.get_context_data(form=AuthenticationForm(self.request), wait=minutes)
        response = self.render_to_response(context, status=429)
        response["Retry-After"] = str(refused.wait)
        return response


class Again(Login):
    """Django's admin sends those here whom it does not let in, though they are logged in."""

    redirect_authenticated_user = False


class Logout(LogoutView):
    """Django's, on record."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if isinstance(request.user, User):
            audit.record(actor(request.user), "account.logout", "")
        return super().post(request, *args, **kwargs)


@method_decorator(never_cache, name="dispatch")
class Password(PasswordChangeView):
    """One's own, by the one that holds; every other session of the account ends."""

    template_name = "registration/password.html"

    def form_valid(self, form: Any) -> HttpResponse:
        audit.record(actor(self.request.user), "account.password", "")
        return super().form_valid(form)

    def get_success_url(self) -> str:
        return resolve_url("dashboard:overview")


def note_login(user: User) -> None:
    """On record: somebody is in."""
    audit.record(actor(user), "account.login", "")


def _who(request: HttpRequest) -> tuple[str, str]:
    return request.META.get("REMOTE_ADDR") or "", request.POST.get("username", "")[:300]


def _record(name: str, action: str) -> None:
    """Of accounts there are alone: what else is typed there may be a password."""
    model = get_user_model()
    if "\x00" in name:
        return
    if model._default_manager.filter(**{model.USERNAME_FIELD: name}).exists():
        audit.record("system", action, name)
