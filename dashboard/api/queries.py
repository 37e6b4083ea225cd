"""The query string of a list of runs, in the reference's names."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import QueryDict
from django.utils import timezone

from dashboard.api.errors import ApiError
from dashboard.filters import RunFilter
from runs import durations
from runs.errors import InvalidOption
from runs.lifecycle.checks import MACHINES
from runs.models import Run
from runs.models.run import RunQuerySet
from runs.states import RunStatus

#: How far back a list goes that names no window (features.md AP-4).
WINDOW = timedelta(days=7)
MOST_VALUES = 100
LONGEST_VALUE = 1000

COLUMNS = {
    "filter[version]": "version",
    "filter[machine]": "machine",
    "filter[batch]": "batch_id",
    "filter[schedule]": "schedule_id",
}
FIELDS = {
    "filter[status]": "status",
    "filter[taskIdentifier]": "task",
    "filter[tag]": "tag",
    "filter[queue]": "queue",
}
#: Nothing here has one yet, so nothing matches.
ABSENT = {"filter[bulkAction]", "filter[region]"}
WORDS = {"filter[status]": RunStatus.values, "filter[machine]": MACHINES}
TIMES = {"filter[createdAt][from]", "filter[createdAt][to]", "filter[createdAt][period]"}
OTHERS = {"filter[isTest]", "filter[env]", "page[size]", "page[after]", "page[before]"}
KNOWN = {*COLUMNS, *FIELDS, *ABSENT, *TIMES, *OTHERS}


def values(query: QueryDict, known: Collection[str] = KNOWN) -> dict[str, str]:
    """Every parameter once, repeated ones joined by commas; raises a 400 for unknown ones."""
    found = {name: ",".join(query.getlist(name)) for name in query}
    for name, value in found.items():
        if name not in known:
            raise _bad(name[:60], "is not a parameter of this list")
        if "\x00" in value:
            raise _bad(name, "must not contain U+0000")
    return {name: value for name, value in found.items() if value}


def runs(asked: dict[str, str]) -> RunQuerySet:
    """The runs that match, without payload and output."""
    start, end = window(asked, timezone.now() - WINDOW)
    named: dict[str, Any] = {field: _list(name, asked) for name, field in FIELDS.items()}
    found = RunFilter(**named, test=_flag(asked), start=start, end=end).runs()
    for name, column in COLUMNS.items():
        if wanted := _list(name, asked):
            found = found.filter(**{f"{column}__in": wanted})
    if ABSENT & asked.keys():
        return Run.objects.none()
    return found.defer("payload", "output", "seed_metadata")


def _list(name: str, asked: dict[str, str]) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(part for part in asked.get(name, "").split(",") if part))
    if len(wanted) > MOST_VALUES or any(len(part) > LONGEST_VALUE for part in wanted):
        raise _bad(name, f"takes at most {MOST_VALUES} values of {LONGEST_VALUE} characters")
    words = WORDS.get(name)
    for part in wanted:
        if words is not None and part not in words:
            raise _bad(name, f"does not know “{part[:40]}”; one of {', '.join(words)}")
    return wanted


def _flag(asked: dict[str, str]) -> bool | None:
    text = asked.get("filter[isTest]")
    if text not in {None, "true", "false"}:
        raise _bad("filter[isTest]", "must be true or false")
    return None if text is None else text == "true"


def window(
    asked: dict[str, str], default: datetime | None = None
) -> tuple[datetime | None, datetime | None]:
    """From and to; without any filter from `default` on."""
    if not TIMES & asked.keys():
        return default, None
    start = _time("filter[createdAt][from]", asked, _moment)
    end = _time("filter[createdAt][to]", asked, _moment)
    period = _time("filter[createdAt][period]", asked, _ago)
    return max((moment for moment in (start, period) if moment), default=None), end


def _time(name: str, asked: dict[str, str], read: Callable[[str], datetime]) -> datetime | None:
    try:
        return read(asked[name]) if name in asked else None
    except (ValueError, OverflowError, OSError, InvalidOption) as error:
        raise _bad(name, "must be milliseconds since 1970 or, as period, text like 1d") from error


def _moment(text: str) -> datetime:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(text)
    return datetime.fromtimestamp(int(text[:20]) / 1000, UTC)


def _ago(text: str) -> datetime:
    return timezone.now() - timedelta(seconds=durations.seconds(text, "period"))


def _bad(name: str, problem: str) -> ApiError:
    details: list[dict[str, Any]] = [{"path": name, "message": problem}]
    return ApiError(400, f"Query Error: {name} {problem}.", details=details)
