"""Keys of any length as hashes, and the contest for an idempotency key."""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from itertools import chain

from django.db import connection, transaction
from django.utils import timezone

from runs import limits
from runs.errors import InvalidOption
from runs.lifecycle import audit
from runs.lifecycle.options import TriggerItem
from runs.models import Idempotency, Run

CLAIM = """
INSERT INTO runs_idempotency (task_id, key_hash, run_id, expires_at) VALUES {rows}
ON CONFLICT (task_id, key_hash) DO UPDATE SET run_id = EXCLUDED.run_id, expires_at = EXCLUDED.expires_at
 WHERE runs_idempotency.expires_at <= %s
RETURNING task_id, key_hash, run_id
"""
HOLDERS = (
    "SELECT task_id, key_hash, run_id FROM runs_idempotency WHERE (task_id, key_hash) IN ({keys})"
)
#: Keys claimed in one statement.
CHUNK = 1000
#: What `idempotencyKeys.create` of the reference makes: a hash already (features.md ID-3).
HASH = re.compile(r"[0-9a-f]{64}")
#: Stands where a task's id would for requests (`requests.once`): no task has an empty one.
REQUEST = ""
#: Task and hash of the key.
Place = tuple[str, str]


def hashed(key: str | None) -> str:
    """SHA-256 hex of a key, empty for none."""
    return "" if key is None else hashlib.sha256(key.encode(errors="replace")).hexdigest()


def place(item: TriggerItem) -> Place | None:
    """Which key an item asks for; None when it has none."""
    key = item.options.idempotency_key
    return None if key is None else (item.task_id, hash_of(key))


def hash_of(key: str) -> str:
    """What is remembered of a key; a hash stands for itself."""
    return key if HASH.fullmatch(key) else hashed(key)


def claim(wanted: Mapping[Place, tuple[str, datetime]], now: datetime) -> dict[Place, str]:
    """The run that holds each key now: ours, or the one that was first.

    `wanted` has our run and when its key expires. Waits for twins that have not committed yet, and
    wins where one rolls back. Keys are taken in one order by everybody, so that two bulk triggers
    never wait for one another.
    """
    order, holders = sorted(wanted), {}
    for start in range(0, len(order), CHUNK):
        holders.update(_claim({key: wanted[key] for key in order[start : start + CHUNK]}, now))
    return holders


def _claim(wanted: Mapping[Place, tuple[str, datetime]], now: datetime) -> dict[Place, str]:
    adapt = connection.ops.adapt_datetimefield_value
    left, holders = dict(wanted), {}
    with connection.cursor() as cursor:
        for _ in range(3):
            rows = ", ".join(["(%s, %s, %s, %s)"] * len(left))
            values = [[*key, run_id, adapt(expires)] for key, (run_id, expires) in left.items()]
            cursor.execute(CLAIM.format(rows=rows), [*chain.from_iterable(values), adapt(now)])
            found = cursor.fetchall()
            if len(found) < len(left):
                keys = ", ".join(["(%s, %s)"] * len(left))
                cursor.execute(HOLDERS.format(keys=keys), [*chain.from_iterable(left)])
                found = cursor.fetchall()
            holders.update(
                {(task_id, key_hash): str(run_id) for task_id, key_hash, run_id in found}
            )
            left = {key: ours for key, ours in left.items() if key not in holders}
            if not left:
                return holders
    raise InvalidOption("idempotency_key", "The key is being used by other callers; try again.")


def free(run_id: str) -> None:
    """A run that ended without success gives its key up; what requests made stays remembered."""
    Idempotency.objects.filter(run_id=run_id).exclude(task_id=REQUEST).delete()


@transaction.atomic
def reset(task_id: str, key: str, *, actor: str) -> bool:
    """Forget a key of a task, so that the next trigger with it makes a run (ID-12).

    `key` as it was given, or its hash. The run it led to stays as it is. False when nothing had it.
    """
    limits.text("idempotency_key", key)
    known = Idempotency.objects.filter(task_id=task_id, key_hash=hash_of(key)).exclude(
        task_id=REQUEST
    )
    ids = list(known.values_list("run_id", flat=True))
    led_to = Run.objects.filter(pk__in=ids)
    list(led_to.select_for_update().values_list("pk"))  # the run before its key, as an end does
    if not known.filter(run_id__in=ids).delete()[0]:
        return False
    led_to.update(idempotency_expires_at=timezone.now())
    for run_id in ids:
        audit.record(actor, "key.reset", run_id, task_id=task_id)
    return True
