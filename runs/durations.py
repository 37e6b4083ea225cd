"""Durations as people write them."""

import re
from datetime import timedelta

from runs.errors import InvalidOption

UNITS = {"w": 604800, "d": 86400, "hr": 3600, "h": 3600, "m": 60, "s": 1}
PART = re.compile(r"(\d+)(hr|[wdhms])", re.ASCII)
LONGEST = 100 * 366 * 86400
LEAST_LIMIT = 5.0


def seconds(value: object, option: str) -> float:
    """Seconds from a number, a `timedelta`, or text like "1h30m" (features.md DE-1).

    Raises InvalidOption, naming `option`, for anything else, for negative values and for more than
    a hundred years.
    """
    found = _number(value)
    if found is None or not 0 <= found <= LONGEST:
        raise InvalidOption(
            option,
            f"{option} must be seconds, a timedelta or text like “1h30m”, from 0 to 100 years; "
            f"got {str(value)[:60]!r}.",
        )
    return found


def limit(value: object, option: str = "max_duration") -> float:
    """Seconds a run may execute: at least LEAST_LIMIT, shorter ones are lengthened; 0 is no limit.

    A limit that was scaled down by mistake would end runs before they begin (features.md MD-2).
    """
    wanted = seconds(value, option)
    return max(wanted, LEAST_LIMIT) if wanted else 0.0


def _number(value: object) -> float | None:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(max(min(value, LONGEST + 1), -1))  # no float holds every int; NaN stays NaN
    if isinstance(value, str) and len(value) <= 100 and PART.sub("", value) == "" and value:
        return float(sum(int(count) * UNITS[unit] for count, unit in PART.findall(value)))
    return None
