"""What may be done to a run's metadata: operations on a JSON object (features.md section 16).

The names are those of the reference's API: set, delete, append, remove, increment, update. A key
that starts with `$.` is a path such as `$.steps[0].status`. The reference's paths have no wildcards
or filters, so that a parser of JSONPath would mostly accept what has to be refused.
"""

import copy
import json
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from runs.errors import InvalidOption

#: `{"type": "set", "key": "$.a", "value": 1}`; "update" has no key, "delete" no value.
Operation = Mapping[str, Any]
Segment = str | int
STEP = re.compile(r"""\.([^.\[\]'"]+)|\[(\d{1,6})\]|\['([^']+)'\]|\["([^"]+)"\]""")
#: Refused as the reference does: names that mean more than a key to JavaScript.
GUARDED = {"__proto__", "constructor", "prototype"}
MISSING = object()


def apply(document: Mapping[str, Any], operations: Sequence[Operation]) -> dict[str, Any]:
    """A new document, after all operations in order. Raises InvalidOption; then none is done."""
    changed: dict[str, Any] = copy.deepcopy(dict(document))
    for operation in operations:
        kind = operation.get("type")
        if kind == "update":
            changed = copy.deepcopy(_object(operation.get("value")))
        elif kind in CHANGES:
            _change(changed, segments(operation.get("key")), kind, operation.get("value"))
        else:
            raise refused(f"There is no operation {kind!r}; they are {', '.join(KINDS)}.")
    return changed


def read(document: Mapping[str, Any], key: str) -> Any:
    """The value at a key or path; None when there is none."""
    found: Any = document
    for segment in segments(key):
        found = _child(found, segment)
    return None if found is MISSING else found


def segments(key: object) -> list[Segment]:
    """A plain key is one segment, a path has several. Raises InvalidOption."""
    if not isinstance(key, str) or not key:
        raise refused(f"A key is a text that is not empty; got {key!r:.60}.")
    found: list[Segment] = _path(key) if key.startswith("$.") else [key]
    if guarded := GUARDED.intersection(map(str, found)):
        raise refused(f"The key {min(guarded)} is not allowed.")
    return found


def _path(key: str) -> list[Segment]:
    found: list[Segment] = []
    at = 1
    while at < len(key):
        step = STEP.match(key, at)
        if step is None:
            raise refused(f"The path {key!r:.80} cannot be read from character {at + 1} on.")
        name, index, *quoted = step.groups()
        found.append(int(index) if index else name or next(filter(None, quoted)))
        at = step.end()
    return found


def _child(value: Any, segment: Segment) -> Any:
    if isinstance(value, dict) and isinstance(segment, str):
        return value.get(segment, MISSING)
    if isinstance(value, list) and isinstance(segment, int) and segment < len(value):
        return value[segment]
    return MISSING


def _change(document: dict[str, Any], path: list[Segment], kind: str, value: Any) -> None:
    """Walk to the last segment, making what is missing on the way, and change what is there."""
    holder: Any = document
    for segment, following in pairwise(path):
        if not isinstance(_child(holder, segment), dict | list):
            if kind in ("delete", "remove"):
                return
            _put(holder, segment, [] if isinstance(following, int) else {})
        holder = _child(holder, segment)
    before = _child(holder, path[-1])
    if kind == "delete":
        _drop(holder, path[-1])
    elif (after := CHANGES[kind](before, copy.deepcopy(value))) is not MISSING:
        _put(holder, path[-1], after)


def _put(holder: Any, segment: Segment, value: Any) -> None:
    if isinstance(holder, list) and segment == len(holder):
        holder.append(value)
    elif isinstance(holder, dict) == isinstance(segment, str) and _fits(holder, segment):
        holder[segment] = value
    else:
        kind = "a list" if isinstance(holder, list) else "an object"
        raise refused(f"{segment!r} is no place in {kind}; a list grows by one at its end.")


def _fits(holder: Any, segment: Segment) -> bool:
    return isinstance(holder, dict) or _child(holder, segment) is not MISSING


def _drop(holder: Any, segment: Segment) -> None:
    if _child(holder, segment) is not MISSING:
        del holder[segment]


def _set(_before: Any, value: Any) -> Any:
    return value


def _append(before: Any, value: Any) -> Any:
    if before is MISSING:
        return [value]
    return [*before, value] if isinstance(before, list) else [before, value]


def _remove(before: Any, value: Any) -> Any:
    if not isinstance(before, list):
        return before
    gone = _canonical(value)
    return [item for item in before if _canonical(item) != gone]


def _increment(before: Any, value: Any) -> Any:
    if not _is_number(value):
        raise refused(f"increment takes a number; got {value!r:.60}.")
    return before + value if _is_number(before) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _canonical(value: Any) -> str:
    """Equal for equal JSON; Python's own equality takes true for 1."""
    return json.dumps(value, sort_keys=True)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise refused(f"Metadata is a JSON object; got {value!r:.60}.")
    return value


def refused(problem: str) -> InvalidOption:
    return InvalidOption("metadata", problem)


CHANGES: dict[str, Callable[[Any, Any], Any]] = {
    "set": _set,
    "delete": _set,
    "append": _append,
    "remove": _remove,
    "increment": _increment,
}
KINDS = (*CHANGES, "update")
