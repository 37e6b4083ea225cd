"""Public tokens as the reference's client makes them: the server's claims, signed with the key."""

import time

import jwt

from runs.models import ApiKey


def claims(*scopes, key=None, **changes):
    """What such a client signs; a change to None leaves a claim out."""
    now = int(time.time())
    said = {
        "sub": f"key_{(key or ApiKey.objects.get()).pk}",
        "pub": True,
        "scopes": list(scopes),
        "iss": "https://id.trigger.dev",
        "aud": "https://api.trigger.dev",
        "iat": now,
        "exp": now + 900,
        **changes,
    }
    return {name: value for name, value in said.items() if value is not None}


def signed(text, *scopes, headers=None, algorithm="HS256", **changes):
    """A token of the key with this text."""
    return jwt.encode(claims(*scopes, **changes), text, algorithm, headers=headers or {"typ": None})
