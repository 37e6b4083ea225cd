"""The first administrator: who it is, and the link that lets them in."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from dashboard.people.tokens import first_login_tokens

USERNAME = "admin"


def link() -> str | None:
    """The path that logs the first administrator in, or None once one of them has a password."""
    administrators = list(_users().filter(is_superuser=True, is_active=True).order_by("pk"))
    if any(user.has_usable_password() for user in administrators):
        return None
    user = administrators[0] if administrators else _create()
    token = first_login_tokens.make_token(user)
    return reverse("first-login", kwargs={"pk": user.pk, "token": token})


def find(pk: int, token: str) -> User | None:
    """The administrator this link belongs to, if it is still good."""
    user = _users().filter(pk=pk, is_superuser=True, is_active=True).first()
    return user if user and first_login_tokens.check_token(user, token) else None


def spend(user: User) -> bool:
    """Use the link up; of two people who press at once exactly one gets True."""
    unused = _users().filter(pk=user.pk, last_login=user.last_login, password=user.password)
    return bool(unused.update(last_login=timezone.now()))


def _users() -> Any:
    return get_user_model()._default_manager


def _create() -> User:
    model = get_user_model()
    blank = dict.fromkeys(model.REQUIRED_FIELDS, "")
    user: User = _users().create_superuser(**{**blank, model.USERNAME_FIELD: USERNAME})
    return user
