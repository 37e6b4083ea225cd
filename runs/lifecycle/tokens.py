"""Wait tokens: made, completed once, timed out."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from runs import conf, payloads, signals
from runs.errors import InvalidOption, NotFound, PayloadTooLarge
from runs.ids import new_id
from runs.lifecycle import audit, checks, store
from runs.lifecycle.transition import skip_locked
from runs.models import Run, Waitpoint
from runs.states import TokenStatus

#: Tokens timed out in one go.
BATCH = 100
LONGEST_MESSAGE = 2000
SALT = "trackside.waitpoint"
_VERBS = {
    TokenStatus.COMPLETED: "complete",
    TokenStatus.TIMED_OUT: "time_out",
    TokenStatus.FAILED: "fail",
}
#: Whose doings are put on record; an address and a run are known by the token itself.
PEOPLE = ("user:", "key:", "cli:")


def create(
    *,
    timeout: float | datetime | None = None,
    key: str | None = None,
    key_ttl: float | None = None,
    tags: Sequence[str] = (),
    schema: str = "",
    run_id: str | None = None,
    own_key: str = "",
) -> tuple[Waitpoint, bool]:
    """A wait token, and whether a key found an earlier one instead of making it.

    A key holds until `key_ttl` seconds have passed, for ever without one. `own_key` is a key that
    is not shown: what a run calls its token when it asks for it again. Raises InvalidOption.
    """
    now = timezone.now()
    _check(key, tags)
    if isinstance(timeout, datetime):
        checks.moment("timeout", timeout)
    token = Waitpoint(
        id=new_id("waitpoint"),
        schema=schema,
        tags=json.dumps(sorted(set(tags))),
        idempotency_key=key,
        key_hash=_hashed(key, own_key),
        idempotency_expires_at=None if key_ttl is None else now + timedelta(seconds=key_ttl),
        run_id=run_id,
        created_at=now,
        timeout_at=now + timedelta(seconds=timeout)
        if isinstance(timeout, float | int)
        else timeout,
    )
    if token.key_hash is None:
        token.save(force_insert=True)
        return token, False
    return _once(token, now)


def _once(token: Waitpoint, now: datetime) -> tuple[Waitpoint, bool]:
    """The token that has the key: ours, or the one that was first."""
    same = Waitpoint.objects.filter(key_hash=token.key_hash)
    same.filter(idempotency_expires_at__lte=now).update(key_hash=None)
    try:
        with transaction.atomic():
            token.save(force_insert=True)
        made = True
    except IntegrityError:
        made = False
    return (token, False) if made else (same.get(), True)


def complete(token_id: str, data: str | None, *, by: str) -> Waitpoint:
    """Complete a token with JSON text; one that has ended stays as it is, the first counts.

    The runs that wait for it go on. Raises NotFound, InvalidPayload where its schema asks for
    something else.
    """
    limit = int(conf.get("PAYLOAD_LIMIT"))
    if data is not None and len(data) > limit:
        raise PayloadTooLarge(f"The data has {len(data):,} bytes; the limit is {limit:,}.")
    token = find(token_id)
    if token.is_waiting and token.schema:
        payloads.check(token.schema, "null" if data is None else data)
    return _end(token, TokenStatus.COMPLETED, data, by)


def fail(token_id: str, message: str, *, by: str) -> Waitpoint:
    """End a token with an error: what it stands for went wrong, and the runs that wait are told.

    Raises NotFound, and InvalidOption for an error that says nothing.
    """
    checks.text("message", message, LONGEST_MESSAGE)
    if not message.strip():
        raise InvalidOption("message", "Say what went wrong.")
    said = json.dumps({"message": message.strip()}, ensure_ascii=False)
    return _end(find(token_id), TokenStatus.FAILED, said, by)


def time_out(token_id: str, *, actor: str) -> Waitpoint:
    """End a token as if its time were over. Raises NotFound."""
    return _end(find(token_id), TokenStatus.TIMED_OUT, None, actor)


def time_out_due() -> int:
    """Tokens whose time is over time out. Returns how many.

    Each in a transaction of its own: an end wakes who waits in the order of their ids, and two ends
    in one transaction would break that order and might meet with another end that wakes the same two.
    """
    due = Waitpoint.objects.filter(status=TokenStatus.WAITING, timeout_at__lte=timezone.now())
    return sum(map(_time_out_free, list(due.order_by("id").values_list("pk", flat=True)[:BATCH])))


@transaction.atomic
def _time_out_free(token_id: str) -> bool:
    """One of them, unless somebody else is about to end it."""
    waiting = Waitpoint.objects.filter(pk=token_id, status=TokenStatus.WAITING)
    token = waiting.select_for_update(**skip_locked()).first()
    if token is None:
        return False
    _end(token, TokenStatus.TIMED_OUT, None, "system")
    return True


@transaction.atomic
def _end(token: Waitpoint, status: TokenStatus, data: str | None, by: str) -> Waitpoint:
    """Under the row's lock, as those who begin to wait take it: nobody's wake-up is lost."""
    ended = Waitpoint.objects.filter(pk=token.pk, status=TokenStatus.WAITING).update(
        status=status, output=data, completed_at=timezone.now(), completed_by=by
    )
    if ended:
        if by.startswith(PEOPLE):
            audit.record(by, f"waitpoint.{_VERBS[status]}", token.pk)
        store.current().wake(token.pk)
        transaction.on_commit(lambda: signals.runs_ready.send(sender=Run))
    token.refresh_from_db()
    return token


def release(token: Waitpoint) -> None:
    """Let go of the key of a token that has ended: the next one with it is a new one."""
    ended = Waitpoint.objects.filter(pk=token.pk).exclude(status=TokenStatus.WAITING)
    ended.update(key_hash=None)


def find(token_id: str) -> Waitpoint:
    """Raises NotFound."""
    token = Waitpoint.objects.filter(pk=token_id).first()
    if token is None:
        raise NotFound(f"There is no wait token {token_id}.")
    return token


def signature(token_id: str) -> str:
    """What the address of a token proves: 256 bits nobody else can make."""
    return _signature(token_id, settings.SECRET_KEY)


def _signature(token_id: str, secret: str | bytes) -> str:
    return salted_hmac(SALT, token_id, secret=secret, algorithm="sha256").hexdigest()


def is_signed(token_id: str, given: str) -> bool:
    """Also under a former SECRET_KEY: addresses that were given out go on working."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return any(constant_time_compare(_signature(token_id, key), given) for key in keys)


def url(token_id: str) -> str:
    """The address at which anybody who has it may complete the token: a page with a form."""
    return f"{_origin()}/wait/{token_id}/{signature(token_id)}"


def callback_url(token_id: str) -> str:
    """The same for programs alone, as the reference writes it."""
    return f"{_origin()}/api/v1/waitpoints/tokens/{token_id}/callback/{signature(token_id)}"


def _origin() -> str:
    return str(conf.get("URL")).rstrip("/")


def _check(key: Any, tags: Sequence[str]) -> None:
    if key is not None and (not isinstance(key, str) or not key):
        raise InvalidOption("idempotency_key", f"A key is text that is not empty; got {key!r:.60}.")
    checks.text("idempotency_key", key, 2048)
    checks.tags(tags, "A token")


def _hashed(key: str | None, own_key: str) -> str | None:
    if key is None and not own_key:
        return None
    if key is None:
        return own_hash(own_key)
    return hashlib.sha256(f"key:{key}".encode()).hexdigest()


def own_hash(own_key: str) -> str:
    """The key hash of a token by what its run calls it."""
    return hashlib.sha256(f"run:{own_key}".encode()).hexdigest()
