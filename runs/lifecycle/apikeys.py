"""Bearer keys: make, check, revoke. The key itself is stored encrypted only, and never logged."""

import hashlib
import hmac
import json
import os
import re
import secrets
import string
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import jwt
from django.db import DEFAULT_DB_ALIAS, IntegrityError, connections, transaction
from django.db.models import F, Q
from django.utils import timezone

from runs import conf, encryption
from runs.errors import InvalidOption, NotFound, Undecipherable
from runs.lifecycle import audit, checks
from runs.lifecycle.store import frequent, prepared
from runs.models import OF_TASKS, ApiKey, Payloads, Role

LETTERS = string.ascii_letters + string.digits
LENGTH = 40
PREFIX_LENGTH = 16
#: Tasks a key may be restricted to, and the longest id of one.
MOST_TASKS, LONGEST_TASK = 10, 128
#: The last use is remembered to the minute: one write for many requests.
USE_STEP = timedelta(minutes=1)
KINDS = {"dev": "dev", "staging": "stg", "prod": "prod"}
#: A key somebody else made: long enough to sign with (RFC 7518, 3.2), and one word in a header.
FOREIGN_KEY = re.compile(r"[!-~]{32,200}")
#: The reference's clients take the first form for a key that cannot sign tokens; the other is a token's.
MISREAD_KEY = re.compile(r"tr_(dev|stg|prod|preview)_sk_[0-9a-zA-Z]{24}|eyJ.*")
PRESET = "TRACKSIDE_API_KEY"
#: Different characters of a preset key, outside development.
FEWEST_LETTERS = 10
#: Asked at every request: making this statement anew each time costs more than the answer.
COLUMNS = [field.attname for field in ApiKey._meta.concrete_fields]
BY_HASH = f"SELECT {', '.join(COLUMNS)} FROM runs_apikey WHERE key_hash = "  # noqa: S608  # columns of ours


def create(
    name: str,
    *,
    actor: str,
    role: str = Role.ADMIN,
    tasks: Sequence[str] = (),
    payloads: str | None = None,
    key: str | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its text, which is shown this once. Raises InvalidOption.

    Without a role it may do everything, as the reference's keys may; with `tasks` only with those.
    Unless `payloads` says more, a viewer's key reads none.
    """
    reads = payloads or (Payloads.NONE if role == Role.VIEWER else Payloads.STORED)
    _check(name, role, reads, expires_at)
    named = _checked_tasks(tasks, role)
    text = new_text() if key is None else _accepted(key)
    try:
        with transaction.atomic():
            row = ApiKey.objects.create(
                name=name,
                created_by=actor,
                role=role,
                payloads=reads,
                expires_at=expires_at,
                tasks=json.dumps(named),
                **_kept(text),
            )
            facts: dict[str, Any] = {"tasks": named} if named else {}
            facts |= {"payloads": reads, "expires_at": expires_at}
            audit.record(actor, "apikey.create", name, role=role, **facts)
    except IntegrityError as error:
        raise InvalidOption(
            "name", f"There is a key “{name}” (or this very key) already."
        ) from error
    return row, text


def revoke(name: str, *, actor: str) -> ApiKey:
    """Refuse the key from now on; it cannot come back. Raises NotFound."""
    with transaction.atomic():
        named = ApiKey.objects.select_for_update().filter(name=name)
        row = named.order_by(F("revoked_at").desc(nulls_first=True)).first()
        if row is None:
            raise NotFound(f"There is no API key “{name}”.")
        _revoke(row, actor)
    return row


def revoke_one(pk: int, *, actor: str) -> ApiKey:
    """The same for the key with this number: its name may have a successor. Raises NotFound."""
    with transaction.atomic():
        row = ApiKey.objects.select_for_update().filter(pk=pk).first()
        if row is None:
            raise NotFound(f"There is no API key number {pk}.")
        _revoke(row, actor)
    return row


def _revoke(row: ApiKey, actor: str) -> None:
    if row.revoked_at is None:
        row.revoked_at, row.secret = timezone.now(), ""
        row.save(update_fields=["revoked_at", "secret"])
        audit.record(actor, "apikey.revoke", row.name)


def verify(text: str) -> ApiKey | None:
    """The live key `text` is, with its use noted, or None."""
    wanted = _hashed(text)
    row = _found(wanted)
    now = timezone.now()
    if row is None or not hmac.compare_digest(row.key_hash, wanted) or not row.is_live(now):
        return None
    _note_use(row, now)
    _seal(row, text)
    return row


def _found(wanted: str) -> ApiKey | None:
    """The key with this hash, alive or not."""
    answer = frequent.answer(connections[DEFAULT_DB_ALIAS], f"{BY_HASH}$1".encode(), [wanted])
    if answer is None:
        return next(iter(ApiKey.objects.raw(f"{BY_HASH}%s", [wanted])), None)
    rows = prepared.read(answer)
    return ApiKey.from_db(DEFAULT_DB_ALIAS, COLUMNS, rows[0]) if rows else None


def live(pk: int) -> ApiKey | None:
    """The key with this number, if it may be used now: for what was signed with it."""
    row = ApiKey.objects.filter(pk=pk).first()
    now = timezone.now()
    if row is None or not row.is_live(now):
        return None
    _note_use(row, now)
    return row


def secret(row: ApiKey) -> str | None:
    """The text of a key; None where SECRET_KEY has changed since the key was last used."""
    try:
        return encryption.decrypt(row.secret)
    except Undecipherable:
        return None


def _note_use(row: ApiKey, now: datetime) -> None:
    if row.last_used_at is None or row.last_used_at <= now - USE_STEP:
        unused = Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - USE_STEP)
        ApiKey.objects.filter(unused, pk=row.pk).update(last_used_at=now)


def _seal(row: ApiKey, text: str) -> None:
    """Encrypt a key's text under a changed SECRET_KEY, now that who has it showed it."""
    if not encryption.is_current(row.secret):
        row.secret = encryption.encrypt(text)
        ApiKey.objects.filter(pk=row.pk, revoked_at__isnull=True).update(secret=row.secret)


def ensure_preset_key() -> ApiKey | None:
    """Make the key in the environment's TRACKSIDE_API_KEY known; None without one.

    Safe to call at every start and from several processes. A changed value replaces the earlier
    one; a revoked key stays revoked. Raises InvalidOption if the value cannot be a key.
    """
    text = os.environ.get(PRESET, "").strip()
    if not text:
        return None
    if conf.get("ENVIRONMENT").get("kind", "dev") != "dev" and len(set(text)) < FEWEST_LETTERS:
        raise InvalidOption("key", "It can be guessed: outside development a key is random.")
    known = ApiKey.objects.filter(key_hash=_hashed(_accepted(text))).first()
    if known is not None:
        if known.revoked_at is None:
            _seal(known, text)
        return known
    with transaction.atomic():
        row, made = ApiKey.objects.update_or_create(
            name=PRESET, revoked_at__isnull=True, defaults=_kept(text)
        )
        audit.record("system", "apikey.create" if made else "apikey.replace", PRESET)
    return row


def new_text() -> str:
    """`tr_<environment>_` and 40 random letters and digits (238 bits)."""
    kind = KINDS.get(conf.get("ENVIRONMENT").get("kind", "dev"), "dev")
    return f"tr_{kind}_" + "".join(secrets.choice(LETTERS) for _ in range(LENGTH))


def _check(name: str, role: str, reads: str, expires_at: datetime | None) -> None:
    if not 1 <= len(name) <= 100 or not name.isprintable() or name != name.strip():
        raise InvalidOption("name", "A key's name has 1 to 100 printable characters.")
    if role not in Role.values:
        raise InvalidOption("role", f"A key's role is one of {', '.join(Role.values)}.")
    if reads not in Payloads.values:
        raise InvalidOption("payloads", f"Payloads are one of {', '.join(Payloads.values)}.")
    if expires_at is not None:
        checks.moment("expires_at", expires_at)


def _checked_tasks(tasks: Sequence[str], role: str) -> list[str]:
    """The tasks of a restricted key, each once. Raises InvalidOption."""
    named = list(dict.fromkeys(tasks))
    if named and role not in OF_TASKS:
        roles = ", ".join(sorted(OF_TASKS))
        raise InvalidOption("tasks", f"A key for some tasks has one of the roles {roles}.")
    if len(named) > MOST_TASKS:
        raise InvalidOption("tasks", f"A key names at most {MOST_TASKS} tasks; got {len(named)}.")
    for task_id in named:
        if not 1 <= len(task_id) <= LONGEST_TASK or not task_id.isprintable():
            raise InvalidOption(
                "tasks", f"A task's id has 1 to {LONGEST_TASK} characters; got {task_id!r:.60}."
            )
    return named


def _kept(text: str) -> dict[str, str]:
    """What is stored of a key."""
    return {
        "prefix": _prefix(text),
        "key_hash": _hashed(text),
        "secret": encryption.encrypt(text),
    }


def _accepted(text: str) -> str:
    if FOREIGN_KEY.fullmatch(text) is None or MISREAD_KEY.fullmatch(text) or not _signs(text):
        raise InvalidOption(
            "key",
            "A preset key has 32 to 200 printable ASCII characters without spaces. It neither has "
            "the form tr_<environment>_sk_<24 characters>, which clients misread, nor begins with eyJ, "
            "nor is it a key of another kind (PEM, SSH, JWK).",
        )
    return text


def _signs(text: str) -> bool:
    """Whether it is fit for HMAC: libraries refuse what looks like a key of another kind."""
    try:
        jwt.encode({}, text, "HS256")
    except jwt.InvalidKeyError:
        return False
    return True


def _prefix(text: str) -> str:
    return text[: min(PREFIX_LENGTH, len(text) // 3)]


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
