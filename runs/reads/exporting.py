"""A run as one line of JSON Lines."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime

from runs.models import Run
from runs.models.run import RunQuerySet

FIELDS = [
    "id",
    "task_id",
    "status",
    "reason",
    "queue",
    "concurrency_key",
    "priority",
    "attempt_number",
    "max_attempts",
    "max_duration",
    "ttl",
    "machine",
    "version",
    "version_asked",
    "is_test",
    "source",
    "actor",
    "idempotency_key",
    "parent_id",
    "root_id",
    "replayed_from_id",
    "created_at",
    "started_at",
    "finished_at",
    "delay_until",
    "retry_at",
]
DOCUMENTS = ("payload", "output", "error", "metadata", "tags")
NOT_ASCII = re.compile(r"[^\x00-\x7e]")
#: Runs read at once: their documents may be large.
CHUNK = 100
#: A document as its reader may see it, by its text and column; None where he may not.
Seen = Callable[[str, str], str | None]


def as_stored(text: str, name: str) -> str:
    return text


def as_json(run: Run, *, heavy: bool, seen: Seen = as_stored) -> str:
    """One JSON object on one line, in ASCII; documents only if `heavy`."""
    values = {name: json.dumps(_plain(getattr(run, name))) for name in FIELDS}
    for name in DOCUMENTS if heavy else ("tags",):
        text = getattr(run, name)
        values[name] = _stored(None if text is None else seen(text, name))
    known = [f"{json.dumps(name)}: {text}" for name, text in values.items()]
    return "{" + ", ".join(known) + "}"


def lines(runs: RunQuerySet, seen: Seen = as_stored) -> Iterator[str]:
    """All of them, oldest first, in steps."""
    last = ""
    while some := list(runs.filter(pk__gt=last).order_by("pk")[:CHUNK]):
        for run in some:
            yield as_json(run, heavy=True, seen=seen) + "\n"
        last = some[-1].pk


def _stored(text: str | None) -> str:
    """Stored JSON as it is, on one line, with escapes for all that is not ASCII."""
    flat = (text or "null").replace("\n", " ").replace("\r", " ")
    return NOT_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], flat)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
