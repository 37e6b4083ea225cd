"""Public tokens: JWTs that a key signs, ours or one that a client signed itself with its key.

The subject is the key, so that one look-up finds it; a token ends with its key.
"""

import base64
import hashlib
import hmac
import json
import logging
import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import jwt
from jwt.types import Options

from runs.errors import RunsError
from runs.lifecycle import apikeys
from runs.models import ApiKey
from runs.scopes import Scope

log = logging.getLogger(__name__)

ALGORITHM = "HS256"
#: What every token of ours begins with: {"alg":"HS256","typ":"JWT"}.
HEADER = b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
_compact = json.JSONEncoder(separators=(",", ":")).encode
#: What the reference's clients write into the tokens they sign.
ISSUER, AUDIENCE = "https://id.trigger.dev", "https://api.trigger.dev"
#: How every token begins, and the most characters one has.
START, LONGEST = "eyJ", 16_000
MOST_SCOPES = 1000
SUBJECT = re.compile(r"key_([0-9]{1,18})", re.ASCII)
#: A client whose clock is ahead of ours is no forger.
NEEDED: Options = {"require": ["exp", "sub"], "verify_iat": False}
#: The end of time, for databases.
LATEST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


class BadToken(RunsError):
    """A token that counts for nothing; why, in words that help nobody to forge one."""


@dataclass(frozen=True, slots=True)
class PublicToken:
    """A token that was verified, and the live key it comes from."""

    key: ApiKey
    #: The key's text.
    secret: str = field(repr=False)
    scopes: tuple[Scope, ...]
    expires_at: datetime
    #: It makes one run or batch.
    is_one_time: bool
    #: Names this very token where it is remembered: of what is signed, as a signature can be spelled
    #: in several ways.
    digest: str
    #: Columns of runs it does not show in realtime.
    skipped: frozenset[str]


def claims(key: ApiKey) -> dict[str, Any]:
    """What every token of a key says."""
    return {"sub": f"key_{key.pk}", "pub": True}


def sign(
    key: ApiKey,
    secret: str,
    scopes: Sequence[str],
    *,
    expires_at: float,
    **more: Any,
) -> str:
    """A token of the key. `expires_at` is in seconds since 1970."""
    said = claims(key) | {"scopes": list(scopes), **more}
    said |= {"iss": ISSUER, "aud": AUDIENCE, "iat": int(time.time()), "exp": int(expires_at)}
    return _encoded(said, secret)


def _encoded(said: dict[str, Any], secret: str) -> str:
    """As `jwt.encode` does, which looks at each key anew whether it is one for another algorithm.

    Ours are not (`apikeys`), and every trigger is answered with a token.
    """
    signed = HEADER + b"." + _base64(_compact(said).encode())
    signature = hmac.digest(secret.encode(), signed, hashlib.sha256)
    return (signed + b"." + _base64(signature)).decode()


def _base64(data: bytes) -> bytes:
    """As tokens have it: without padding (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def verify(text: str) -> PublicToken:
    """Raises BadToken."""
    key = _key(text)
    secret = apikeys.secret(key)
    if secret is None:
        log.warning(
            "A public token of key “%s” was refused: SECRET_KEY has changed since the key was last used. "
            "Use the key once, or put the former SECRET_KEY into SECRET_KEY_FALLBACKS.",
            key.name,
        )
        raise BadToken("This public token cannot be checked any more; get a new one.")
    said = _said(text, secret, key)
    expires_at = _number(said["exp"])
    realtime = said.get("realtime")
    skipped = realtime.get("skipColumns") if isinstance(realtime, dict) else None
    return PublicToken(
        key=key,
        secret=secret,
        scopes=_scopes(said.get("scopes")),
        expires_at=datetime.fromtimestamp(expires_at, UTC),
        is_one_time=said.get("otu") is True,
        digest=hashlib.sha256(text.rpartition(".")[0].encode()).hexdigest(),
        skipped=frozenset(_words(skipped)),
    )


def _key(text: str) -> ApiKey:
    """Whose token it says it is."""
    if len(text) > LONGEST:
        raise BadToken("A public token this long is none.")
    try:
        said = jwt.decode(text, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError):
        raise BadToken("This is no public token.") from None
    named = SUBJECT.fullmatch(subject) if isinstance(subject := said.get("sub"), str) else None
    key = apikeys.live(int(named[1])) if named else None
    if key is None:
        raise BadToken("This public token's key is not known here, or was revoked.")
    return key


def _said(text: str, secret: str, key: ApiKey) -> dict[str, Any]:
    """Its claims, once the signature and the times are right."""
    try:
        said: dict[str, Any] = jwt.decode(
            text, secret, [ALGORITHM], options=NEEDED, audience=AUDIENCE, issuer=ISSUER
        )
    except jwt.ExpiredSignatureError:
        log.info("An expired public token of key “%s” was refused.", key.name)
        raise BadToken("This public token has expired; get a new one.") from None
    except (jwt.PyJWTError, ValueError) as problem:
        name = type(problem).__name__
        log.warning("A public token of key “%s” was refused: %s.", key.name, name)
        raise BadToken("This public token is not valid.") from None
    if said.get("pub") is not True:
        raise BadToken("This is no public token.")
    return said


def _number(value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not 0 < value < LATEST:
        raise BadToken("This public token says nothing of when it ends.")
    return float(value)


def _scopes(value: Any) -> tuple[Scope, ...]:
    if value is None:
        return ()
    words = _words(value)
    if not isinstance(value, list) or len(words) < len(value) or len(words) > MOST_SCOPES:
        raise BadToken("The scopes of this public token are no list of words.")
    return tuple(map(Scope.read, words))


def _words(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
