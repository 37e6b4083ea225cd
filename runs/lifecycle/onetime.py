"""Public tokens that make one run or one batch. A use is remembered until the token has expired.

A use is part of the transaction of what it makes: a trigger that fails leaves the token as it was, and
of two at once one waits for the other.
"""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from django.db import IntegrityError, transaction

from runs.errors import TokenUsed
from runs.lifecycle.keys import REQUEST
from runs.lifecycle.publictokens import PublicToken
from runs.models import Idempotency

T = TypeVar("T")
#: Clocks of several machines differ.
LONGER = timedelta(minutes=5)
RUN = "used"
BATCH_PREFIX = "batch_"


def trigger(token: PublicToken | None, make: Callable[[], T]) -> T:
    """What `make` makes of the token's one use. Raises TokenUsed."""
    if token is None or not token.is_one_time:
        return make()
    with transaction.atomic():
        if not _remembered(token, RUN):
            raise TokenUsed
        return make()


def open_batch(token: PublicToken | None, make: Callable[[], tuple[str, T]]) -> T:
    """The same for a batch, whose id `make` returns first. It may be opened again, as by a repeated request."""
    if token is None or not token.is_one_time:
        return make()[1]
    with transaction.atomic():
        batch_id, made = make()
        if not _remembered(token, _short(batch_id)) and not has_opened(token, batch_id):
            raise TokenUsed
        return made


def has_opened(token: PublicToken, batch_id: str) -> bool:
    """Whether its use was this batch, whose items are sent with it then."""
    used = Idempotency.objects.filter(task_id=REQUEST, key_hash=_hashed(token))
    return used.filter(run_id=_short(batch_id)).exists()


def _remembered(token: PublicToken, use: str) -> bool:
    """Whether this was the first use. Waits for another one that has not committed yet."""
    try:
        with transaction.atomic():
            Idempotency.objects.create(
                task_id=REQUEST,
                key_hash=_hashed(token),
                run_id=use,
                expires_at=token.expires_at + LONGER,
            )
    except IntegrityError:
        return False
    return True


def _hashed(token: PublicToken) -> str:
    return hashlib.sha256(f"token\0{token.digest}".encode()).hexdigest()


def _short(batch_id: str) -> str:
    """As long as the column is, and no run's id: what is remembered of runs goes with them."""
    return batch_id.removeprefix(BATCH_PREFIX)
