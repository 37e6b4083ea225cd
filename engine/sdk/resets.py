"""When a rate limit resets, by what servers write into headers."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from django.utils import timezone
from django.utils.dateparse import parse_datetime

#: "1d2h3m4.5s" and "20ms", as OpenAI writes durations.
DURATION = re.compile(
    r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?", re.ASCII
)
UNITS = (86400.0, 3600.0, 60.0, 1.0, 0.001)


def seconds_until_reset(text: str, form: str) -> float | None:
    """Seconds from now, at least 0; None for what is not of that form."""
    try:
        wait = FORMATS[form](text.strip())
    except (ValueError, TypeError, OverflowError):
        return None
    return None if wait is None else max(wait, 0.0)


def _until(moment: datetime) -> float:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - timezone.now()).total_seconds()


def _timestamp(text: str) -> float:
    return float(text) - timezone.now().timestamp()


def _timestamp_in_ms(text: str) -> float:
    return float(text) / 1000 - timezone.now().timestamp()


def _iso(text: str) -> float | None:
    moment = parse_datetime(text)
    return None if moment is None else _until(moment)


def _openai_duration(text: str) -> float | None:
    found = DURATION.fullmatch(text)
    if found is None or not text:
        return None
    parts = zip(found.groups(), UNITS, strict=True)
    return timedelta(seconds=sum(float(n) * unit for n, unit in parts if n)).total_seconds()


def _retry_after(text: str) -> float:
    """`Retry-After`: seconds, or a date."""
    return float(text) if text.isdecimal() else _until(parsedate_to_datetime(text))


FORMATS: dict[str, Callable[[str], float | None]] = {
    "unix_timestamp": _timestamp,
    "unix_timestamp_in_ms": _timestamp_in_ms,
    "iso_8601": _iso,
    "iso_8601_duration_openai_variant": _openai_duration,
    "retry_after": _retry_after,
}
