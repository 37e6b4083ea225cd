"""What happened while a span was open: moments with a name, bounded (features.md LG-5)."""

import json
import time
from collections.abc import Mapping
from typing import Any

from engine.sdk.attributes import MAX_NAME, flattened, storable
from runs.errors import InvalidOption
from runs.tracing import EVENTS, LEFT_OUT_EVENTS

#: Of one span; more are counted.
MOST = 100
#: Characters of the JSON text of all of them.
ALL = 32_768


class Events:
    """The events of one span, as they will be told."""

    __slots__ = ("_left_out", "_room", "_told")

    def __init__(self) -> None:
        self._told: list[str] = []
        self._room, self._left_out = ALL, 0

    def add(self, name: object, attributes: Mapping[str, Any], at: int | None = None) -> None:
        """Note one, now. Raises InvalidOption."""
        if not isinstance(name, str) or not name.strip():
            raise InvalidOption(
                "name", f"An event's name is text of 1 to {MAX_NAME} characters; got {name!r:.80}."
            )
        named = json.dumps(storable(name)[:MAX_NAME])
        text = f"[{at or time.time_ns()}, {named}, {flattened(attributes) or '{}'}]"
        if len(self._told) < MOST and len(text) <= self._room:
            self._told.append(text)
            self._room -= len(text)
        else:
            self._left_out += 1

    def beside(self, attributes: str) -> str:
        """JSON text of the attributes and these."""
        if not self._told and not self._left_out:
            return attributes
        parts = [attributes[1:-1]] if attributes else []
        parts.append(f"{json.dumps(EVENTS)}: [{', '.join(self._told)}]")
        if self._left_out:
            parts.append(f"{json.dumps(LEFT_OUT_EVENTS)}: {self._left_out}")
        return "{" + ", ".join(parts) + "}"
