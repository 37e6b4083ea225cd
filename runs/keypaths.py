"""Where in a payload a task's concurrency key stands, as `$.customer.id` or `$.items[0].sku`.

A path is data, so runs triggered from the API, a page or a schedule get their key as well, where
no task code is at hand to call a function.
"""

import json
import re
from functools import lru_cache
from typing import Any

from runs.errors import InvalidOption

STEP = re.compile(r"\.([^.\[\]\s]+)|\[(\d+)\]|\[\"([^\"]+)\"\]")
Path = tuple[str | int, ...]


@lru_cache(1024)
def parse(path: str) -> Path:
    """The steps of a path. Raises InvalidOption."""
    steps: list[str | int] = []
    at = 1
    while at < len(path) and (found := STEP.match(path, at)):
        name, index, quoted = found.groups()
        steps.append(int(index) if index is not None else name or quoted)
        at = found.end()
    if not path.startswith("$") or at < len(path) or not steps:
        raise InvalidOption(
            "concurrency_key",
            "concurrency_key is a function of the payload, or the place of the key in it, as "
            f"$.customer.id or $.items[0]; got {path!r:.80}.",
        )
    return tuple(steps)


def key_at(path: str, payload: str | None) -> str | None:
    """The key in a payload, JSON text; None where nothing stands there. Raises InvalidOption."""
    found: Any = None if payload is None else json.loads(payload)
    found = found_at(parse(path), found)
    if isinstance(found, (bool, dict, list)):
        raise InvalidOption(
            "concurrency_key",
            f"The concurrency key at {path} is text or a number; got {json.dumps(found):.60}.",
        )
    return None if found is None else str(found)


def found_at(path: Path, value: Any) -> Any:
    """What stands there in a JSON value; None where nothing does."""
    for step in path:
        value = _below(value, step)
    return value


def _below(value: Any, step: str | int) -> Any:
    if isinstance(step, int):
        return value[step] if isinstance(value, list) and step < len(value) else None
    return value.get(step) if isinstance(value, dict) else None
