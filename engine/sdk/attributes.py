"""What a span may say about itself: plain values under names with dots, bounded (features.md LG-5)."""

import json
import math
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

#: Of one span; more are counted.
MOST = 256
#: Characters of one value, and of the JSON text of all.
VALUE, ALL = 16_384, 65_536
MAX_NAME = 256
DEEPEST = 8
#: Its value says how many attributes were left out.
LEFT_OUT = "trackside.dropped_attributes"
TEXTUAL = (date, datetime, time, timedelta, Decimal, UUID)


def flattened(attributes: Mapping[str, Any]) -> str:
    """The attributes as JSON text of one object; empty for none. Never raises."""
    if not attributes:
        return ""
    kept: dict[str, Any] = {}
    room, lost = ALL, 0
    for name, value in leaves("", attributes, 0):
        room -= len(json.dumps(name)) + len(json.dumps(value))
        if room < 0 or len(kept) >= MOST:
            lost += 1
            if lost >= MOST:
                break
        else:
            kept[name] = value
    if lost:
        kept[LEFT_OUT] = lost
    return json.dumps(kept)


def leaves(path: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """Every plain value with its name."""
    if depth < DEEPEST and isinstance(value, Mapping) and value:
        for key, inner in value.items():
            name = storable(str(key))
            yield from leaves(f"{path}.{name}" if path else name, inner, depth + 1)
    elif depth < DEEPEST and isinstance(value, (list, tuple)) and value:
        for index, inner in enumerate(value):
            yield from leaves(f"{path}.{index}", inner, depth + 1)
    else:
        yield path[:MAX_NAME], plain(value)


def plain(value: Any) -> Any:
    """The value as JSON has it, or as text."""
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    try:
        text = str(value) if isinstance(value, (str, *TEXTUAL)) else repr(value)
    except Exception:
        text = f"({type(value).__name__} that cannot be read)"
    return shortened(storable(text), VALUE)


def shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def storable(text: str) -> str:
    """The text with NUL characters and lone surrogates spelled out."""
    if text.isascii():
        return text.replace("\x00", "\\x00") if "\x00" in text else text
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()
