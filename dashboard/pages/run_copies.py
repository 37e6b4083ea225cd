"""The list as others ask for it: a call of the API, a command, a link."""

import shlex
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from dashboard.pages.periods import PERIODS
from dashboard.pages.run_query import RunQuery
from runs.reads import grammar

KEY = "Authorization: Bearer $TRACKSIDE_API_KEY"


def of(request: HttpRequest, query: RunQuery) -> list[tuple[str, str, str]]:
    """(id, what it is, its text)."""
    link = f"{reverse('dashboard:runs')}?{query.encode()}".removesuffix("?")
    return [
        ("copy-link", "Link", request.build_absolute_uri(link)),
        ("copy-command", "Command", _command(query)),
        ("copy-call", "API call", _call(request, query)),
    ]


def _command(query: RunQuery) -> str:
    words = ["python", "manage.py", "runs", "list"]
    if text := _text(query):
        words += ["--query", text]
    if not query.bounds and PERIODS[query.period][1]:
        words += ["--since", query.period]
    return shlex.join([*words, "--limit", str(query.size)])


def _call(request: HttpRequest, query: RunQuery) -> str:
    asked = {"filter[query]": text} if (text := _text(query)) else {}
    if not query.bounds and PERIODS[query.period][1]:
        asked["filter[createdAt][period]"] = query.period
    elif not query.bounds:
        asked["filter[createdAt][from]"] = "0"
    asked["page[size]"] = str(query.size)
    address = request.build_absolute_uri(reverse("api:runs"))
    return f'curl -H "{KEY}" {shlex.quote(f"{address}?{urlencode(asked)}")}'


def _text(query: RunQuery) -> str:
    """The search with its times."""
    times = [("after", query.start), ("before", query.end)]
    words = [f"{name}:{moment.isoformat()}" for name, moment in times if moment]
    return " ".join(filter(None, [grammar.write(query.terms), *words]))
