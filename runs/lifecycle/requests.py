"""One run for one request, however often its sender repeats it (features.md ID-14)."""

import hashlib
from collections.abc import Callable
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from runs.errors import TokenUsed
from runs.lifecycle.keys import REQUEST
from runs.lifecycle.options import Triggered
from runs.models import Idempotency

REMEMBERED = timedelta(days=1)


def once(task_id: str, request_key: str, make: Callable[[], Triggered]) -> Triggered:
    """What `make` makes, or the run that an earlier request with the same key made.

    A client that repeats a trigger because the answer was lost sends the same key again.
    """
    if not request_key:
        return make()
    key = hashlib.sha256(f"{task_id}\0{request_key}".encode(errors="replace")).hexdigest()
    try:
        return _first(key, make)
    except (IntegrityError, TokenUsed) as error:
        conflict = error
    # a twin was faster and is committed: its run is the answer
    found = _earlier(key)
    if found is None:
        raise conflict
    return found


def _first(key: str, make: Callable[[], Triggered]) -> Triggered:
    found = _earlier(key)
    if found is not None:
        return found
    with transaction.atomic():
        made = make()
        now = timezone.now()
        Idempotency.objects.filter(task_id=REQUEST, key_hash=key, expires_at__lte=now).delete()
        Idempotency.objects.create(
            task_id=REQUEST, key_hash=key, run_id=made.run_id, expires_at=now + REMEMBERED
        )
    return made


def _earlier(key: str) -> Triggered | None:
    rows = Idempotency.objects.filter(task_id=REQUEST, key_hash=key, expires_at__gt=timezone.now())
    found = rows.values_list("run_id", flat=True).first()
    return None if found is None else Triggered(found, is_cached=True)
