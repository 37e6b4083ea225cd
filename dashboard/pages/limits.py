"""Limits: what a request, a run and a queue may be, and how much of it is used now."""

import time
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from dashboard import permissions, presenters
from dashboard.pages import settings
from dashboard.pages.page import page
from runs import conf, limits
from runs.lifecycle import allowances
from runs.models import ApiKey, Queue, RequestWindow
from runs.reads import rates
from runs.reads.queues import Load, loads

#: Keys and queues shown.
MOST = 100
BYTES = (
    ("PAYLOAD_LIMIT", "One payload"),
    ("OUTPUT_LIMIT", "One output"),
    ("METADATA_LIMIT", "Metadata of a run"),
    ("BATCH_LIMIT", "Items of a batch in one request"),
    ("STREAM_CHUNK_LIMIT", "One chunk of a stream"),
    ("STREAM_LIMIT", "One stream"),
    ("RUN_STREAMS_LIMIT", "All streams of a run"),
)
COUNTS = (
    ("QUEUE_SIZE_LIMIT", "Runs queued in one queue"),
    ("LOG_LINES_PER_ATTEMPT", "Log lines of an attempt"),
    ("SPANS_PER_ATTEMPT", "Spans of an attempt, between two waits"),
    ("REALTIME_SUBSCRIBERS", "Realtime requests one web process holds"),
    ("CRASH_LIMIT", "Lost clusters before a run has crashed"),
)


@page()
def index(request: HttpRequest) -> HttpResponse:
    context = {
        "rate": allowances.limit(),
        "keys": _keys() if permissions.may(request.user, permissions.ADMINISTER) else None,
        "queues": _queues(),
        "values": [(words, presenters.size_text(conf.get(name)), name) for name, words in BYTES]
        + [(words, _number(conf.get(name)), name) for name, words in COUNTS]
        + [("Tags of a run", str(limits.MAX_TAGS), "")],
        "size": int(conf.get("QUEUE_SIZE_LIMIT")),
        "now": timezone.now(),
    }
    return settings.render(request, "limits", "dashboard/limits/index.html", context)


def _keys() -> list[tuple[str, int, int]]:
    """What each key, and its public tokens, took of the window that runs now."""
    limit = allowances.limit()
    if limit is None:
        return []
    window = int(time.time() // limit.period)
    used = dict(RequestWindow.objects.filter(number=window).values_list("caller", "used"))
    names = dict(ApiKey.objects.live(timezone.now()).values_list("pk", "name")[:MOST])
    found = [(name, f"key:{pk}") for pk, name in names.items()]
    found += [(f"{name}, public tokens", f"public:{pk}") for pk, name in names.items()]
    rows = [(name, used.get(caller, 0), limit.limit) for name, caller in found]
    return sorted([row for row in rows if row[1]], key=lambda row: -row[1])


def _queues() -> list[dict[str, Any]]:
    """Queues with a limit, the fullest first."""
    standing = loads()
    queues = [one for one in Queue.objects.all() if one.limit is not None or one.total is not None or one.rate]  # fmt: skip
    closed = rates.closed(queues)
    rows: list[dict[str, Any]] = [
        {"queue": one, "load": standing.get(one.pk, Load()), "closed": closed.get(one.pk)}
        for one in queues
    ]
    return sorted(rows, key=lambda row: -row["load"].queued)[:MOST]


def _number(value: int) -> str:
    return f"{value:,}" if value else "no limit"
