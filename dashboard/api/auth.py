"""Who calls: a secret key, or a public token that one signed. Cookies are not looked at.

`identify` needs no request, for ASGI code; it asks the database (from a thread).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from django.http import HttpRequest

from dashboard.api.errors import ApiError
from dashboard.sight import Sight
from runs import scopes
from runs.lifecycle import apikeys, publictokens
from runs.lifecycle.publictokens import BadToken, PublicToken
from runs.models import GRANTS, ApiKey, Payloads, Role
from runs.scopes import Resource

SIGHTS = {
    Payloads.STORED: Sight.STORED,
    Payloads.REDACTED: Sight.REDACTED,
    Payloads.NONE: Sight.NOTHING,
}
#: Columns that are not sent in realtime, and a word for those that are masked.
MASKED = "(redacted)"
UNSEEN = {
    Sight.STORED: frozenset[str](),
    Sight.REDACTED: frozenset({MASKED}),
    Sight.NOTHING: frozenset({"payload", "output", "metadata", "error"}),
}
READ, WRITE, TRIGGER, BATCH_TRIGGER = "read", "write", "trigger", "batchTrigger"
#: The role whose work an action is; all others are an operator's.
NEEDED = {READ: Role.VIEWER, TRIGGER: Role.TRIGGER, BATCH_TRIGGER: Role.TRIGGER}
MISSING = "Invalid or Missing API key"
#: More than any key or token has.
LONGEST = publictokens.LONGEST


@dataclass(frozen=True)
class Caller:
    """A live key, or what a public token of one allows."""

    key: ApiKey
    #: The key's text, to sign with.
    secret: str = field(repr=False)
    token: PublicToken | None = None

    @property
    def actor(self) -> str:
        """How events and the audit log name it."""
        return f"key:{self.key.name}" + (" (public token)" if self.is_public else "")

    @property
    def role(self) -> Role:
        """The key's; its tokens may never more than itself."""
        return Role(self.key.role)

    @property
    def sight(self) -> Sight:
        """How much it reads of payloads; a public token is for strangers, and reads nothing redacted."""
        own = SIGHTS[Payloads(self.key.payloads)]
        return min(own, Sight.REDACTED) if self.is_public else own

    @property
    def is_public(self) -> bool:
        return self.token is not None

    @property
    def skipped(self) -> frozenset[str]:
        """Columns of runs that it is not shown in realtime."""
        own = self.token.skipped if self.token else frozenset()
        return own | UNSEEN[self.sight]

    def has(self, role: Role) -> bool:
        """Whether it may do the work of that role."""
        return role in GRANTS[self.role]

    @cached_property
    def tasks(self) -> frozenset[str]:
        """The tasks its key is restricted to; empty for all."""
        return frozenset(self.key.task_list)

    def may_task(self, task_id: str) -> bool:
        """Whether its key is for runs of this task."""
        return not self.tasks or task_id in self.tasks

    def require_tasks(self, *task_ids: str) -> None:
        """Raises a 403 unless its key is for all of these tasks; without any, for all there are."""
        if self.tasks and not (task_ids and self.tasks.issuperset(task_ids)):
            named = ", ".join(sorted(self.tasks))
            raise forbidden(f"This key is restricted to tasks: {named:.300}.")

    def may(self, action: str, *resources: Resource) -> bool:
        """Whether it may do that to one of these: `may("read", ("runs", run_id), ("tags", "a"))`.

        A resource without an id is all of its type: `("runs", None)`.
        """
        if not self.has(NEEDED.get(action, Role.OPERATOR)):
            return False
        return self.token is None or scopes.admits(self.token.scopes, action, resources)

    def require(self, action: str, *resources: Resource) -> None:
        """Raises a 403 unless it may."""
        if not self.may(action, *resources):
            raise forbidden()


def roles(needed: Iterable[Role]) -> str:
    """In words, the roles of keys that do the work of one of these."""
    wanted = set(needed)
    *others, last = [str(role) for role in Role if wanted & GRANTS[role]]
    return f"{', '.join(others)} or {last}" if others else last


def caller(request: HttpRequest) -> Caller:
    """Of the request's bearer; raises a 401."""
    # of META, as all that a trigger looks at: `headers` takes every header apart for the first one
    scheme, _, text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return authenticate(text.strip() if scheme.lower() == "bearer" else "")


def authenticate(bearer: str) -> Caller:
    """Raises a 401 that says why."""
    if not bearer or len(bearer) > LONGEST:
        raise unauthorized()
    if bearer.startswith(publictokens.START):
        try:
            token = publictokens.verify(bearer)
        except BadToken as problem:
            raise unauthorized(str(problem)) from None
        return Caller(token.key, token.secret, token)
    key = apikeys.verify(bearer)
    if key is None:
        raise unauthorized()
    return Caller(key, bearer)


def identify(bearer: str) -> Caller | None:
    """Who has this key or token; None for nobody."""
    try:
        return authenticate(bearer)
    except ApiError:
        return None


def unauthorized(message: str = MISSING) -> ApiError:
    return ApiError(401, message, headers={"www-authenticate": 'Bearer realm="api"'})


def forbidden(message: str = "Unauthorized") -> ApiError:
    """As the reference says it of a token without the scope."""
    beside = {"code": "unauthorized", "param": "access_token", "type": "authorization"}
    return ApiError(403, message, beside=beside)
