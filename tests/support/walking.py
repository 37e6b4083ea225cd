"""Every address there is, asked by everybody there is; what was answered, and what was written."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from dashboard.people.tokens import first_login_tokens, invitation_tokens
from runs.lifecycle import apikeys
from runs.models import ApiKey, Role
from tests.support.places import SPECIAL, VALUES
from tests.support.publictokens import signed
from tests.support.rows import make_user

#: Everybody may what those before may.
PEOPLE = {
    "anybody": None,
    "nobody": (),
    "viewer": ("view_run",),
    "operator": ("change_run", "view_payload"),
    "admin": ("change_run", "change_queue", "view_payload", "reveal_payload"),
}
#: With a word for what each of them must not be able to do.
KEYS = {
    "t": Role.TRIGGER,
    "v": Role.VIEWER,
    "o": Role.OPERATOR,
    "e": Role.VARIABLES,
    "a": Role.ADMIN,
}
#: Statements that change nothing.
HARMLESS = (
    "SELECT",
    "SAVEPOINT",
    "RELEASE",
    "ROLLBACK",
    "PRAGMA",
    "EXPLAIN",
    "BEGIN",
    "SET",
    "SHOW",
)
WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE)\b")
#: Endpoints that look at what they are sent before they know what it needs.
BODIES: dict[str, Any] = {
    "api:batch_create": {"runCount": 1, "taskIdentifiers": ["shop/refund"]},
    "api:bulk_actions": {"action": "cancel", "runIds": ["run_1"]},
    "api:batch_items": {"index": 0, "task": "shop/refund"},
}


@dataclass(frozen=True)
class Visit:
    """One request and what came of it."""

    name: str
    method: str
    who: str
    status: int
    headers: dict[str, str]
    body: str = field(repr=False, default="")
    wrote: tuple[str, ...] = ()

    @property
    def is_refused(self) -> bool:
        """Whether it was sent away: to log in, or because it may not."""
        return self.status in (401, 403) or "/login/?next=" in self.headers.get("Location", "")


def patterns(
    found: list[Any] | None = None, namespace: str = ""
) -> Iterator[tuple[str, URLPattern]]:
    """Every pattern of the project with its whole name; Django's admin apart."""
    for pattern in get_resolver("dashboard.site").url_patterns if found is None else found:
        if isinstance(pattern, URLResolver):
            if pattern.namespace != "admin":
                yield from patterns(pattern.url_patterns, pattern.namespace or namespace)
        else:
            name = pattern.name or str(pattern.pattern)
            yield (f"{namespace}:{name}" if namespace else name), pattern


def address(name: str, pattern: URLPattern) -> str:
    """One that is there, in demo data."""
    if not pattern.name:
        return "/admin/login/" if "admin" in name else f"/{name.split(':')[1].strip('^')[:3]}/v1/x"
    short = name.rpartition(":")[2]
    if short in ("first-login", "invitation"):
        return _link(short)
    special = SPECIAL.get(short, {}) if name.startswith("dashboard:") else {}
    values = {**VALUES, **special}
    given = {
        place: values[place]() if place in values else "x" for place in pattern.pattern.converters
    }
    return reverse(name, kwargs=given | (pattern.default_args or {}))


def _link(kind: str) -> str:
    user, _ = User.objects.get_or_create(username=f"by {kind}", is_superuser=True)
    tokens = first_login_tokens if kind == "first-login" else invitation_tokens
    return reverse(kind, kwargs={"pk": user.pk, "token": tokens.make_token(user)})


def person(who: str, **options: Any) -> Client:
    """A browser of one of PEOPLE."""
    client, permissions = Client(raise_request_exception=False, **options), PEOPLE[who]
    if permissions is not None:
        name = f"walking {who}"
        found = User.objects.filter(username=name).first()
        client.force_login(found or make_user(name, *permissions))
    return client


def bearers() -> dict[str, str]:
    """A key for each of KEYS, some that are worth nothing, and a public token of another run."""
    made = {
        letter: apikeys.create(f"walking {role}", actor="cli:tests", role=role)[1]
        for letter, role in KEYS.items()
    }
    revoked = apikeys.create("walking revoked", actor="cli:tests")[1]
    apikeys.revoke("walking revoked", actor="cli:tests")
    key = ApiKey.objects.get(name=f"walking {Role.ADMIN}")
    scopes = ("read:runs:run_elsewhere", "write:waitpoints:elsewhere", "trigger:tasks:elsewhere")
    other = signed(made["a"], *scopes, key=key)
    return {**made, "none": "", "revoked": revoked, "other run": other}


def asked(client: Client, name: str, method: str, where: str, who: str, **sent: Any) -> Visit:
    """What is answered; whatever it changes is undone."""
    cookies = copy(client.cookies)
    with undone(), noting() as wrote:
        answer = client.generic(method, where, **sent)
        body = _read(answer)
    client.cookies = cookies
    headers = dict(answer.headers)
    return Visit(name, method, who, answer.status_code, headers, body, tuple(wrote))


def called(client: Client, name: str, method: str, where: str, who: str, bearer: str) -> Visit:
    """The same of an endpoint, by a key or token."""
    sent = json.dumps(BODIES.get(name, {})) if method != "GET" else ""
    kind = "application/x-ndjson" if name == "api:batch_items" else "application/json"
    headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
    return asked(
        client, name, method, where, who, data=sent, content_type=kind, headers=headers
    )  # fmt: skip


def _read(answer: HttpResponseBase) -> str:
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]
    return body.decode(errors="replace")


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@contextmanager
def noting() -> Iterator[list[str]]:
    """Statements that change something."""
    wrote: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        text = sql.lstrip("( \n").upper()  # a union may begin with a parenthesis
        reads = text.startswith(HARMLESS) or (text.startswith("WITH") and not WRITES.search(text))
        if not reads:
            wrote.append(sql[:120])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield wrote
