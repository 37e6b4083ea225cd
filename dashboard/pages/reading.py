"""Reading addresses: what nobody can mean is left out, so that an old link never fails."""

from collections.abc import Container
from datetime import datetime

from django.http import QueryDict
from django.utils import timezone
from django.utils.dateparse import parse_datetime

MAX_VALUES, MAX_LENGTH = 20, 300


def one_of(text: str, known: Container[str], otherwise: str) -> str:
    return text if text in known else otherwise


def values(data: QueryDict, name: str) -> tuple[str, ...]:
    texts = (text_of(value) for value in data.getlist(name))
    return tuple(dict.fromkeys(text for text in texts if text))[:MAX_VALUES]


def text_of(value: str) -> str:
    """Without what a database column cannot hold."""
    return value.replace("\x00", "").strip()[:MAX_LENGTH]


def split(values: tuple[str, ...]) -> tuple[str, ...]:
    parts = (part.strip() for value in values for part in value.split(","))
    return tuple(dict.fromkeys(part for part in parts if part))[:MAX_VALUES]


def whole_id(text: str) -> str:
    text = text.lower()
    return text if text.startswith("run_") else f"run_{text}"


def moment(text: str) -> datetime | None:
    """A time as ISO 8601; without an offset it is in the viewer's zone."""
    try:
        # a "+" that was not escaped in the address arrives as a space
        found = parse_datetime(text.strip().replace(" ", "+") if "T" in text else text)
        if found is None:
            return None
        return timezone.make_aware(found) if timezone.is_naive(found) else found
    except (ValueError, OverflowError):
        return None
