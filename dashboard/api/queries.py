"""The query string of a list of runs, in the reference's names."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import QueryDict
from django.utils import timezone

from dashboard import veiled
from dashboard.api.errors import ApiError
from runs import durations
from runs.errors import InvalidOption
from runs.lifecycle.checks import MACHINES
from runs.models import Run
from runs.models.run import RunQuerySet
from runs.reads import demands, grammar
from runs.reads.runfilter import RunFilter
from runs.states import RunStatus

#: How far back a list goes that names no window (features.md AP-4).
WINDOW = timedelta(days=7)
MOST_VALUES = 100
LONGEST_VALUE = 1000

FIELDS = {
    "filter[version]": "version",
    "filter[machine]": "machine",
    "filter[batch]": "batch",
    "filter[schedule]": "schedule",
    "filter[bulkAction]": "bulk",
    "filter[status]": "status",
    "filter[taskIdentifier]": "task",
    "filter[tag]": "tag",
    "filter[queue]": "queue",
    "filter[error]": "error",
}
#: Nothing here has one, so nothing matches.
ABSENT = {"filter[region]"}
WORDS = {"filter[status]": RunStatus.values, "filter[machine]": MACHINES}
TIMES = {"filter[createdAt][from]", "filter[createdAt][to]", "filter[createdAt][period]"}
OTHERS = {
    "filter[query]",
    "filter[isTest]",
    "filter[env]",
    "page[size]",
    "page[after]",
    "page[before]",
}
KNOWN = {*FIELDS, *ABSENT, *TIMES, *OTHERS}


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
    now = timezone.now()
    terms = search(asked.get("filter[query]", ""))
    after, before = demands.window(terms, now)
    start, end = window(asked, None if after or before else now - WINDOW)
    start = max((one for one in (start, after) if one), default=None)
    end = min((one for one in (end, before) if one), default=None)
    named: dict[str, Any] = {field: _list(name, asked) for name, field in FIELDS.items()}
    found = RunFilter(
        **named, test=_flag(asked), query=grammar.write(terms), start=start, end=end
    ).runs()
    if ABSENT & asked.keys():
        return Run.objects.none()
    return found.defer("payload", "output", "seed_metadata")


def _list(name: str, asked: dict[str, str]) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(part for part in asked.get(name, "").split(",") if part))
    if len(wanted) > MOST_VALUES or any(len(part) > LONGEST_VALUE for part in wanted):
        raise _bad(name, f"takes at most {MOST_VALUES} values of {LONGEST_VALUE} characters")
    check_words(name, wanted)
    return wanted


def check_words(name: str, values: Collection[str]) -> None:
    """Raises a 400 for a word that a filter of statuses or machines does not know."""
    words = WORDS.get(name)
    for value in values:
        if words is not None and value not in words:
            raise _bad(name, f"does not know “{value[:40]}”; one of {', '.join(words)}")


def search(text: str) -> tuple[grammar.Term, ...]:
    """The terms of a search in the language of the dashboard's box. Raises a 400."""
    try:
        terms = grammar.parse(text)
    except grammar.GrammarError as error:
        raise _bad("filter[query]", f"is no search at character {error.at + 1}: {error}") from None
    for term in terms:
        if refusal := veiled.refused(term):
            raise _bad("filter[query]", f"is refused: {refusal}")
    return terms


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
    period = _time("filter[createdAt][period]", asked, ago)
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


def ago(text: str) -> datetime:
    """So long before now. Raises InvalidOption, and OverflowError for what no clock shows."""
    return timezone.now() - timedelta(seconds=durations.seconds(text, "period"))


def _bad(name: str, problem: str) -> ApiError:
    details: list[dict[str, Any]] = [{"path": name, "message": problem}]
    return ApiError(400, f"Query Error: {name} {problem}.", details=details)
