"""Version tokens: a page says what it has, an unchanged answer is 204 and costs nothing."""

import hashlib
from datetime import datetime

from django.http import HttpRequest

MAX_KNOWN = 100
#: Seconds. What changes only because time goes by is drawn anew so often.
SLOWLY = 120


def token(*parts: object) -> str:
    """A token of the data itself; rendered HTML differs from one time to the next."""
    text = "|".join(_text(part) for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def slowly(now: datetime) -> int:
    """Part of a token for numbers of the last minutes: they move without anything happening."""
    return int(now.timestamp() // SLOWLY)


def known(request: HttpRequest) -> dict[str, str]:
    """What the page has: `have=<id>:<token>`, several."""
    pairs = (entry.rpartition(":") for entry in request.GET.getlist("have")[:MAX_KNOWN])
    return {name: version for name, _, version in pairs if "\x00" not in name}


def _text(part: object) -> str:
    return part.isoformat() if isinstance(part, datetime) else str(part)
