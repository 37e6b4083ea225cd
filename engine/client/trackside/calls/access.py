"""Idempotency keys, and tokens for browsers."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from trackside.calls.common import at, done
from trackside.steps import Call, Request, Sign

ISSUER, AUDIENCE = "https://id.trigger.dev", "https://api.trigger.dev"
QUARTER = 15 * 60


def reset_key(task: str, key: str) -> Call[None]:
    """Free an idempotency key of a task; the run stays. NotFound where no run has it."""
    path = at("/api/v1/idempotencyKeys/{}/reset", key)
    return done(Request("POST", path, body={"taskIdentifier": task}))


def hashed(*parts: str) -> str:
    """The key the JavaScript client makes of these parts, to share keys with it."""
    return hashlib.sha256("-".join(parts).encode()).hexdigest()


def create_public_token(
    scopes: Sequence[str], *, expires_in: float = QUARTER, once: bool = False
) -> Call[str]:
    """A token a browser may have: `["read:runs:run_…"]`. Signed here, the key goes nowhere.

    With `once` it is good for a single trigger.
    """
    answer = yield Request("POST", "/api/v1/auth/jwt/claims")
    claims: Mapping[str, Any] = answer.json()
    now = int(time.time())
    token: str = yield Sign(
        {
            **claims,
            "scopes": list(scopes),
            **({"otu": True} if once else {}),
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + int(expires_in),
        }
    )
    return token
