"""Every page there is, from the URLs themselves: one that is added is looked at without more ado."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.models import User
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, reverse

from dashboard.pages.urls import app_name, urlpatterns
from runs.lifecycle import tokens
from runs.models import (
    AlertChannel,
    AlertRule,
    ApiKey,
    Batch,
    BulkAction,
    EnvVar,
    ErrorGroup,
    PayloadTemplate,
    Run,
    SavedView,
    Schedule,
    Task,
    Waitpoint,
)
from runs.states import RunStatus, TokenStatus

Value = Callable[[], Any]
S = RunStatus


def _run(status: RunStatus, **facts: Any) -> str:
    return str(Run.objects.filter(status=status, **facts).order_by("-id")[0].pk)


def _token() -> Waitpoint:
    return Waitpoint.objects.filter(status=TokenStatus.WAITING).order_by("id")[0]


#: What stands in an address, by the name of the place in it.
VALUES: dict[str, Value] = {
    "run_id": lambda: _run(S.FAILED, attempt_number__gt=1),
    "task_id": lambda: Task.objects.exclude(schema="")[0].pk,
    "name": lambda: "shop-images",
    "schedule_id": lambda: Schedule.objects.all()[0].pk,
    "batch_id": lambda: Batch.objects.all()[0].pk,
    "token_id": lambda: _token().pk,
    "signature": lambda: tokens.signature(_token().pk),
    "fingerprint": lambda: ErrorGroup.objects.order_by("pk")[0].pk,
    "action_id": lambda: BulkAction.objects.all()[0].pk,
    "side": lambda: "next",
    "what": lambda: "rule",
    "number": lambda: ApiKey.objects.all()[0].pk,
}
#: Where that would not do: by the URL's name.
SPECIAL: dict[str, dict[str, Value]] = {
    "cancel": {"run_id": lambda: _run(S.WAITING)},
    "edit": {"run_id": lambda: _run(S.DELAYED)},
    "raw": {"name": lambda: "payload"},
    "member": {"number": lambda: User.objects.all()[0].pk},
    "view": {"number": lambda: SavedView.objects.all()[0].pk},
    "template_delete": {"number": lambda: PayloadTemplate.objects.all()[0].pk},
    "alert_channel": {"number": lambda: AlertChannel.objects.all()[0].pk},
    "alert_rule": {"number": lambda: AlertRule.objects.all()[0].pk},
    "alert_delete": {"number": lambda: AlertRule.objects.all()[0].pk},
    "variable_edit": {"name": lambda: EnvVar.objects.all()[0].name},
    "variable_delete": {"name": lambda: EnvVar.objects.all()[0].name},
}
#: More of the same page, which looks different then.
MORE = {
    "runs": ["?status=FAILED&q=nothing", "?period=1h&task=nowhere", "?columns=payload.order_id"],
}
RUNS = (S.EXECUTING, S.WAITING, S.DELAYED, S.CRASHED)
TABS = re.compile(r'<nav class="tabs".*?</nav>', re.S)
LINK = re.compile(r'href="([^"]+)"')


def addresses() -> list[str]:
    """Every address that answers an administrator with a whole page, with those of its tabs."""
    client = Client()
    client.force_login(User.objects.create_superuser("places"))
    found: dict[str, None] = {}
    for pattern in urlpatterns:
        for address in _addresses_of(pattern):
            for page in _pages(client, address):
                found.setdefault(page)
    for status in RUNS:
        found.setdefault(reverse(f"{app_name}:run", args=[_run(status)]))
    return list(found)


def _addresses_of(pattern: URLPattern) -> list[str]:
    name = str(pattern.name)
    values = {**VALUES, **SPECIAL.get(name, {})}
    unknown = set(pattern.pattern.converters) - set(values)
    assert not unknown, f"What may stand for {unknown} of the URL {name}? Say it in {__name__}."
    arguments = {place: values[place]() for place in pattern.pattern.converters}
    try:
        address = reverse(f"{app_name}:{name}", kwargs=arguments)
    except NoReverseMatch as error:
        raise AssertionError(f"{name} has no address with {arguments}.") from error
    return [address, *(address + query for query in MORE.get(name, ()))]


def _pages(client: Client, address: str) -> list[str]:
    """The address and those of its tabs; none for what answers no whole page."""
    response = client.get(address)
    assert response.status_code < 500, f"{address} answers {response.status_code}"
    if response.status_code != 200 or "text/html" not in response.headers["Content-Type"]:
        return []
    text = response.content.decode()
    if "<html" not in text:
        return []
    tabs = [link for part in TABS.findall(text) for link in LINK.findall(part)]
    whole = [tab if tab.startswith("/") else urlsplit(address).path + tab for tab in tabs]
    return list(dict.fromkeys([address, *(link.replace("&amp;", "&") for link in whole)]))
