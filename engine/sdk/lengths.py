"""How long a wait may be told to last, and until when."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from runs.durations import LONGEST, seconds
from runs.errors import InvalidOption

Duration = float | str | timedelta
DAY = 86400
PARTS = {
    "seconds": 1,
    "minutes": 60,
    "hours": 3600,
    "days": DAY,
    "weeks": 7 * DAY,
    "months": 30 * DAY,
    "years": 365 * DAY,
}


def check_moment(moment: datetime) -> None:
    """A moment with a time zone, no further away than the longest duration."""
    if getattr(moment, "tzinfo", None) is None:
        raise InvalidOption(
            "moment", f"wait.until() takes a datetime with a time zone; got {moment!r:.80}."
        )
    if moment > timezone.now() + timedelta(seconds=LONGEST):
        raise InvalidOption(
            "moment",
            f"wait.until() was given a moment too far away, {moment.isoformat()}; a wait lasts at "
            "most 100 years. To wait for something that may never come, use wait.for_token().",
        )


def total(duration: Duration | None, parts: dict[str, float]) -> float:
    """Seconds of exactly one way to say a duration (features.md WT-1)."""
    if (duration is None) == (not parts) or len(parts) > 1 or set(parts) - set(PARTS):
        raise InvalidOption(
            "duration",
            f"wait() takes one duration, as in wait(30), wait('1h30m') or wait(hours=1); one of "
            f"{', '.join(PARTS)}.",
        )
    for name, value in parts.items():
        return seconds(value * PARTS[name] if is_number(value) else value, name)
    return seconds(duration, "duration")


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def length_of(value: Any, option: str) -> float | None:
    return None if value is None else seconds(value, option)
