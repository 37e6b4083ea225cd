"""What a batch is made of, before its items are looked at."""

from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any

from runs.errors import InvalidOption


def several(items: Any) -> Iterable[Any]:
    """Items that can be gone through. Raises InvalidOption for anything else (features.md BA-3)."""
    if isinstance(items, AsyncIterable):
        raise InvalidOption(
            "items",
            "items is an async iterable; collect it first: [item async for item in items].",
        )
    if isinstance(items, (str, bytes, Mapping)) or not isinstance(items, Iterable):
        raise InvalidOption(
            "items",
            f'items is a list of {{"payload": ..., "options": {{...}}}}; got {items!r:.60}.',
        )
    return items
