"""The people of an installation: invite, change the role, let in again, switch off. Each on record."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse

from dashboard import permissions
from dashboard.people import roles, sessions
from dashboard.people.tokens import invitation_tokens
from runs.errors import InvalidOption, NotFound
from runs.lifecycle import audit

LAST = "This is the last account that may change settings: make another one Admin first."
ROOT = "Only a superuser changes the account of a superuser."


def people() -> Any:
    """All accounts, with what the list needs."""
    return get_user_model()._default_manager.prefetch_related("groups").order_by("pk")


def find(pk: int) -> User:
    """Raises NotFound."""
    found: User | None = people().filter(pk=pk).first() if pk < 1 << 31 else None
    if found is None:
        raise NotFound(f"There is no member number {pk}.")
    return found


def invite(name: str, role: str, *, email: str = "", actor: str) -> tuple[User, str]:
    """A new account without a password, and the path that lets its owner choose one."""
    model = get_user_model()
    user = model(**{model.USERNAME_FIELD: name})
    if hasattr(user, "email"):
        user.email = email
    user.set_unusable_password()
    try:
        user.full_clean(exclude=["password"])
        with transaction.atomic():
            user.save()
            roles.assign(user, role)
            audit.record(actor, "member.invite", name, role=role)
    except ValidationError as error:
        problem = next(iter(error.message_dict.values()))[0]
        raise InvalidOption("name", str(problem)) from error
    except IntegrityError as error:
        raise InvalidOption("name", f"There is an account “{name}” already.") from error
    return user, link(user)


def link(user: User) -> str:
    """The path of a link that lets somebody in once, to choose a password."""
    return reverse(
        "invitation", kwargs={"pk": user.pk, "token": invitation_tokens.make_token(user)}
    )


def renew_link(user: User, *, by: User) -> str:
    """A new one, for whoever lost it or the password."""
    with _changing(user, by, "member.link"):
        pass
    return link(user)


def set_role(user: User, role: str, *, by: User) -> None:
    """Raises InvalidOption for the last admin."""
    with _changing(user, by, "member.role", old=roles.of(user), new=role):
        roles.assign(user, role)


def set_active(user: User, active: bool, *, by: User) -> None:
    """Let in, or not any more: at once, wherever he is logged in. Raises InvalidOption."""
    with _changing(user, by, "member.activate" if active else "member.deactivate"):
        user.is_active = active
        user.save(update_fields=["is_active"])
        # or they would go on when the account is switched on again
        sessions.end_all(user)


def end_sessions(user: User, *, by: User) -> int:
    """Log the account out everywhere; how many sessions that were."""
    with _changing(user, by, "member.sessions"):
        return sessions.end_all(user)


@contextmanager
def _changing(user: User, by: User, action: str, **data: Any) -> Iterator[None]:
    """One change at a time: two admins who take each other's role at once must not both succeed."""
    if user.is_superuser and not by.is_superuser:
        raise InvalidOption("role", ROOT)
    with transaction.atomic():
        list(Group.objects.select_for_update().filter(name__in=roles.NAMES).order_by("pk"))
        yield
        if not _some_admin():
            raise InvalidOption("role", LAST)
        audit.record(permissions.actor(by), action, user.get_username(), **data)


def _some_admin() -> bool:
    """Whether anybody is left who may change settings."""
    may = get_user_model()._default_manager.with_perm(
        "runs.change_queue", backend="django.contrib.auth.backends.ModelBackend"
    )
    return bool(may.exists())
