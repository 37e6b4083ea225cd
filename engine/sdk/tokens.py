"""Wait tokens as authors hold them."""

import json
from dataclasses import dataclass
from typing import Any

from runs.errors import InvalidOption

PREFIX = "waitpoint_"


@dataclass(frozen=True)
class Token:
    """A wait token. `url` completes it from outside: by POST, or by the form it shows to people."""

    id: str
    url: str
    is_cached: bool = False

    @classmethod
    def of_record(cls, text: str) -> "Token":
        facts: dict[str, Any] = json.loads(text)
        return cls(**facts)


def token_id(token: Token | str) -> str:
    """The id of a token that was given itself or by its id."""
    found = token.id if isinstance(token, Token) else token
    if not str(found).startswith(PREFIX) or len(found) > 40:
        raise InvalidOption(
            "token", f"A wait token, or its id ({PREFIX}…), is needed; got {token!r:.80}."
        )
    return found
