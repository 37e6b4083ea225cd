"""Lengths of time, numbers and times as a search has them: `>30s`, `1m..5m`, `2`, `2h`, `2026-11-23`."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime, parse_time

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
PART = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|[wdhms])", re.ASCII)
SPAN = re.compile(rf"(?:{PART.pattern})+", re.ASCII)
COMPARISON = re.compile(r"(>=|<=|>|<)(.+)")
#: A century; more overflows the databases' arithmetic.
LONGEST = 100 * 366 * 86400


class Compared(NamedTuple):
    """Each bound is open where it is None; a lower and an upper one may both hold."""

    above: float | None = None
    least: float | None = None
    below: float | None = None
    most: float | None = None


def is_comparison(text: str) -> bool:
    return COMPARISON.fullmatch(text) is not None


def compared(text: str, read: Callable[[str], float], *, exact: bool = False) -> Compared:
    """`>x`, `>=x`, `<x`, `<=x`, `x..y`, and with `exact` also `x`. Raises ValueError."""
    if found := COMPARISON.fullmatch(text):
        name = {">": "above", ">=": "least", "<": "below", "<=": "most"}[found[1]]
        return Compared(**{name: read(found[2])})
    low, dots, high = text.partition("..")
    if dots:
        least, most = (read(part) if part else None for part in (low, high))
        if least is not None or most is not None:
            return Compared(least=least, most=most)
    if exact and not dots:
        return Compared(least=read(text), most=read(text))
    raise ValueError("say more or less than what.")


def span(text: str) -> float:
    """Seconds of `1h30m`, `500ms`, `1.5s`. Raises ValueError."""
    if SPAN.fullmatch(text) is None:
        raise ValueError(f"“{text[:40]}” is no length of time.")
    seconds = sum(float(count) * UNITS[unit] for count, unit in PART.findall(text))
    if seconds > LONGEST:
        raise ValueError("a hundred years are the most.")
    return seconds


def number(text: str) -> float:
    """Raises ValueError."""
    if re.fullmatch(r"-?\d{1,15}(\.\d{1,6})?", text, re.ASCII) is None:
        raise ValueError(f"“{text[:40]}” is no number.")
    return float(text)


def moment(text: str, now: datetime) -> datetime:
    """So long before `now`, a date, a time of today, or both; in the current zone. Raises ValueError."""
    if SPAN.fullmatch(text):
        return now - timedelta(seconds=span(text))
    try:
        found = _moment(text, now)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise ValueError(f"“{text[:40]}” is no time.")
    return found


def _moment(text: str, now: datetime) -> datetime | None:
    if whole := parse_datetime(text):
        return timezone.make_aware(whole) if timezone.is_naive(whole) else whole
    if day := parse_date(text):
        return timezone.make_aware(datetime(day.year, day.month, day.day))  # noqa: DTZ001
    if hour := parse_time(text):
        return timezone.make_aware(
            datetime.combine(timezone.localtime(now).date(), hour.replace(tzinfo=None))
        )
    return None
