"""Filters over JSON: which bodies of answers are retried (features.md RH-7).

A filter is a function of the body, or a pattern: a dict is matched key by key, a list holds the
values that are accepted, and each of them is a plain value or an operation such as
`{"$startsWith": "rate"}`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Operation = Callable[[Any, Any], bool]
MISSING = object()


def matches(wanted: Any, found: Any) -> bool:
    """Whether a JSON value is what a filter wants."""
    if callable(wanted):
        return bool(wanted(found))
    if isinstance(wanted, list):
        return any(accepted(one, found) for one in wanted)
    if isinstance(wanted, Mapping) and not is_operation(wanted):
        return isinstance(found, Mapping) and all(
            matches(inner, found.get(key, MISSING)) for key, inner in wanted.items()
        )
    return accepted(wanted, found)


def accepted(wanted: Any, found: Any) -> bool:
    """One accepted value: plain, or an operation with its argument."""
    if is_operation(wanted):
        return all(operation_of(name)(found, argument) for name, argument in wanted.items())
    if isinstance(found, list):
        return wanted in found
    return type(wanted) is type(found) and bool(wanted == found)


def is_operation(wanted: Any) -> bool:
    return isinstance(wanted, Mapping) and any(str(key).startswith("$") for key in wanted)


def operation_of(name: str) -> Operation:
    try:
        return OPERATIONS[name]
    except KeyError:
        raise ValueError(f"There is no operation {name}; {', '.join(OPERATIONS)}.") from None


def text(test: Callable[[str, str], bool]) -> Operation:
    return lambda found, wanted: isinstance(found, str) and test(found, str(wanted))


def number(test: Callable[[float, Any], bool]) -> Operation:
    return lambda found, wanted: (
        isinstance(found, (int, float)) and not isinstance(found, bool) and test(found, wanted)
    )


def among(found: Any, wanted: Any) -> bool:
    return any(found == one for one in (wanted if isinstance(wanted, Sequence) else [wanted]))


OPERATIONS: dict[str, Operation] = {
    "$startsWith": text(str.startswith),
    "$endsWith": text(str.endswith),
    "$ignoreCaseEquals": text(lambda found, wanted: found.casefold() == wanted.casefold()),
    "$exists": lambda found, wanted: (found is not MISSING) == bool(wanted),
    "$isNull": lambda found, wanted: (found is None) == bool(wanted),
    "$anythingBut": lambda found, wanted: not among(found, wanted),
    "$gt": number(lambda found, wanted: found > wanted),
    "$gte": number(lambda found, wanted: found >= wanted),
    "$lt": number(lambda found, wanted: found < wanted),
    "$lte": number(lambda found, wanted: found <= wanted),
    "$between": number(lambda found, wanted: wanted[0] <= found <= wanted[1]),
    "$includes": lambda found, wanted: isinstance(found, list) and wanted in found,
    "$not": lambda found, wanted: found != wanted,
}
