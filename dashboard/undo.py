"""The way back: a message about something that was done, with a button that undoes it.

The button is a form for the opposite verb, or for taking back what is only to be done in some seconds; so it
works without scripts, and the server decides as it does for every form.
"""

import json
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.urls import reverse

TAG = "undo:"


def said(
    request: HttpRequest,
    sentence: str,
    address: str,
    *,
    until: datetime | None = None,
    **fields: Any,
) -> None:
    """Say what was done; sending `fields` to `address` undoes it, until then if that is stated."""
    offer = {
        "address": address,
        "fields": [(name, str(value)) for name, value in fields.items() if value is not None],
        "until": until.isoformat() if until else "",
    }
    messages.success(request, sentence, extra_tags=TAG + json.dumps(offer))


def to(name: str, *args: object) -> str:
    """The address of the page called `name`."""
    return reverse(f"dashboard:{name}", args=args)


def offered(tags: str) -> dict[str, Any] | None:
    """What a message's tags offer."""
    if not tags or not tags.startswith(TAG):
        return None
    found: dict[str, Any] = json.loads(tags.removeprefix(TAG))
    return found
