"""Keys of any length as hashes, and the contest for an idempotency key."""

import hashlib
from datetime import datetime, timedelta

from django.db import connection

from runs.errors import InvalidOption
from runs.lifecycle.options import TriggerItem
from runs.models import Idempotency

CLAIM = """
INSERT INTO runs_idempotency (task_id, key_hash, run_id, expires_at) VALUES (%s, %s, %s, %s)
ON CONFLICT (task_id, key_hash) DO UPDATE SET run_id = EXCLUDED.run_id, expires_at = EXCLUDED.expires_at
 WHERE runs_idempotency.expires_at <= %s
RETURNING run_id
"""
HOLDER = "SELECT run_id FROM runs_idempotency WHERE task_id = %s AND key_hash = %s"
#: Stands where a task's id would for requests (`requests.once`): no task has an empty one.
REQUEST = ""


def hashed(key: str | None) -> str:
    """SHA-256 hex of a key, empty for none."""
    return "" if key is None else hashlib.sha256(key.encode()).hexdigest()


def claim(run_id: str, item: TriggerItem, now: datetime) -> str:
    """The run that holds the item's key now: ours, or the one that was first.

    Waits for a twin that has not committed yet, and wins if the twin rolls back.
    """
    options = item.options
    if options.idempotency_key is None:
        return run_id
    key = (item.task_id, hashed(options.idempotency_key))
    expires = now + timedelta(seconds=options.idempotency_ttl)
    adapt = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        for _ in range(3):
            cursor.execute(CLAIM, [*key, run_id, adapt(expires), adapt(now)])
            if cursor.fetchall():
                return run_id
            cursor.execute(HOLDER, key)
            if found := cursor.fetchone():
                return str(found[0])
    raise InvalidOption("idempotency_key", "The key is being used by other callers; try again.")


def free(run_id: str) -> None:
    """A run that ended without success gives its key up; what requests made stays remembered."""
    Idempotency.objects.filter(run_id=run_id).exclude(task_id=REQUEST).delete()
