"""What a list of runs was searched for: how far, how long, what to add, what nearly matched."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any

from django.utils import timezone

from dashboard.pages import banners, columns, cursors, run_rows, zones
from dashboard.pages.periods import PERIODS
from dashboard.pages.run_query import Chip, RunQuery
from runs.models import Run, Task
from runs.reads.counts import Capped, capped
from runs.reads.deadline import TooSlow, deadline
from runs.reads.windows import floor_id
from runs.states import FINAL

PATIENCE = 2.0
#: Seconds each count of near misses may take, how far it counts, and of how many filters.
NEAR_PATIENCE, NEAR_CAP, NEAR_MOST = 0.25, 1000, 4


@dataclass(frozen=True, slots=True)
class Contract:
    """What was looked at to find these rows."""

    start: datetime | None
    end: datetime
    zone: str
    #: Documents of so many are looked into, back to `reach` where there are more.
    opened: str
    seconds: float = 0
    reach: datetime | None = None


@dataclass(frozen=True, slots=True)
class Near:
    """How many match without one filter."""

    chip: Chip
    count: Capped


def results(query: RunQuery, cursor: str, now: datetime) -> dict[str, Any]:
    """The rows and everything said around them."""
    context: dict[str, Any] = {"query": query, "encoded": query.encode(), "now": now}
    context["narrower_links"] = periods(query, query.narrower()[:1])
    context["wider_links"] = periods(query, query.wider()[:1])
    if query.problem:
        return context
    began = perf_counter()
    asked = query.filter(now)
    contract = Contract(
        asked.start,
        asked.end or now,
        zones.label(timezone.get_current_timezone(), now),
        f"{asked.opened:,} runs" + (" that have an error" if asked.opens_errors else ""),
    )
    try:
        with deadline(PATIENCE, in_order=asked.is_in_order):
            runs = columns.read(asked.runs(), run_rows.COLUMNS, query.shown)
            found = cursors.cut(runs, query.size, query.encode(), cursor)
            reach = asked.reach()
    except TooSlow as error:
        banners.was_slow()
        narrower = periods(query, query.narrower())
        return context | {"too_slow": error, "narrower": narrower, "contract": contract}
    context["contract"] = replace(contract, seconds=perf_counter() - began, reach=reach)
    context["slice"] = found
    context["rows"] = run_rows.rows(found.runs, now, query.shown)
    context["newest"] = found.runs[0].id if found.runs else floor_id("run", now)
    context["is_live"] = found.is_first or any(run.status not in FINAL for run in found.runs)
    return context if found.runs else context | _nothing(query, now)


def periods(query: RunQuery, names: list[str]) -> list[tuple[str, str]]:
    return [(PERIODS[name][0], query.with_period(name).encode()) for name in names]


def _nothing(query: RunQuery, now: datetime) -> dict[str, Any]:
    """What an empty list may suggest."""
    return {
        "wider": periods(query, query.wider()),
        "near": _near(query, now),
        "no_tasks": not Task.objects.authored().exists(),
        "no_runs": not Run.objects.exists(),
    }


def _near(query: RunQuery, now: datetime) -> list[Near]:
    """Counts without each filter in turn; none where there is but one, or where counting takes long."""
    chips = query.chips()
    if not 1 < len(chips) <= NEAR_MOST:
        return []
    found = []
    for chip in chips:
        try:
            with deadline(NEAR_PATIENCE):
                count = capped(chip.rest.filter(now).runs(), NEAR_CAP)
        except TooSlow:
            break
        if count:
            found.append(Near(chip, count))
    return found


def window_words(query: RunQuery, now: datetime) -> str:
    """What the range control says."""
    start, end = query.window(now)
    if start is None and end is None:
        return "All time"
    length = PERIODS[query.period][1]
    if end is None and length and start and abs(now - start - length) < timedelta(seconds=1):
        return f"Last {PERIODS[query.period][0]}"
    return "Chosen times"
