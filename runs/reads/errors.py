"""Groups of errors: which, how often, since when."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from runs.models import ErrorCount, ErrorGroup, Failure, GroupStatus
from runs.reads.counts import Capped, capped
from runs.slots import DAY, KEPT, LONG, SHORT, slot

#: Bars of a sparkline, at most.
BARS = 30
#: Beyond it the number of open groups is not counted on every page.
OPEN_CAP = 99
#: Seconds since 1970 of a moment.
SECONDS = {
    "postgresql": "CAST(extract(epoch FROM at) AS BIGINT)",
    "sqlite": "CAST(strftime('%%s', at) AS INTEGER)",
}
#: A row for each bar: there are six times as many counts in a week.
BARS_OF = """
SELECT fingerprint, ({seconds} - %s) / %s AS bar, version, SUM(failures), SUM(ended)
  FROM runs_errorcount WHERE span = %s AND at >= %s AND at <= %s AND fingerprint IN ({places})
 GROUP BY 1, 2, 3
"""
#: Windows of the matrix.
MATRIX = (1, 3, 24, 72, 168)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFilter:
    """Which groups. Empty means any."""

    status: str = ""
    task: str = ""
    version: str = ""
    assignee: str = ""
    #: In the class, the message or the place.
    text: str = ""
    #: Whether messages are searched too: not for those who may not read them.
    messages: bool = True
    #: They failed since then.
    start: datetime | None = None
    #: And before then.
    end: datetime | None = None

    def groups(self) -> QuerySet[ErrorGroup]:
        """The groups that match, in no order."""
        found = ErrorGroup.objects.all()
        for column, value in (
            ("status", self.status),
            ("task_id", self.task),
            ("assignee", self.assignee),
        ):
            if value:
                found = found.filter(**{column: value})
        if self.start is not None:
            found = found.filter(last_at__gte=self.start)
        if self.end is not None:
            found = found.filter(first_at__lt=self.end)
        if self.version:
            found = found.filter(Exists(self._in_version()))
        for word in self.text.split()[:8]:
            where = Q(name__icontains=word) | Q(place__icontains=word)
            found = found.filter(where | Q(message__icontains=word) if self.messages else where)
        return found

    def _in_version(self) -> QuerySet[ErrorCount]:
        counts = ErrorCount.objects.filter(fingerprint=OuterRef("pk"), version=self.version)
        if self.start is None:
            return counts.filter(span=DAY)
        span = span_of(self.start)
        return counts.filter(span=span, at__gte=slot(self.start, span))


@dataclass(slots=True)
class Activity:
    """Failures of a group within a window: in all, by bar, by version."""

    bars: list[int]
    failures: int = 0
    ended: int = 0
    by_version: dict[str, int] = field(default_factory=dict)
    #: Bars of each version.
    stacks: dict[str, list[int]] = field(default_factory=dict)

    @property
    def peak(self) -> int:
        return max(self.bars, default=0)

    @property
    def versions(self) -> int:
        return len([name for name in self.by_version if name])


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time up to `end`, cut into `bars` of `width`, which begin where counts do."""

    start: datetime
    end: datetime
    span: int
    width: timedelta
    bars: int

    @classmethod
    def last(cls, length: timedelta, end: datetime) -> "Window":
        """The last `length` of time."""
        span = _span(length)
        slots = max(1, round(length.total_seconds() / span))
        per_bar = next(number for number in range(1, slots + 1) if -(-slots // number) <= BARS)
        bars = -(-slots // per_bar)
        newest = slot(end, span)
        start = newest - timedelta(seconds=span * (bars * per_bar - 1))
        return cls(start, end, span, timedelta(seconds=span * per_bar), bars)

    def bar(self, moment: datetime) -> int:
        return int((moment - self.start) / self.width)

    def beginning(self, bar: int) -> datetime:
        return self.start + self.width * bar


def activity(fingerprints: Iterable[str], window: Window) -> dict[str, Activity]:
    """What each of these groups did within the window; one statement."""
    found = {name: Activity([0] * window.bars) for name in fingerprints}
    if not found:
        return found
    adapt = connection.ops.adapt_datetimefield_value
    text = BARS_OF.format(seconds=SECONDS[connection.vendor], places=", ".join(["%s"] * len(found)))
    width = int(window.width.total_seconds())
    between = adapt(window.start), adapt(window.end)
    with connection.cursor() as cursor:
        cursor.execute(text, [int(window.start.timestamp()), width, window.span, *between, *found])
        rows = cursor.fetchall()
    for name, bar, version, failures, ended in rows:
        _add(found[name], min(int(bar), window.bars - 1), version, int(failures), int(ended))
    return found


def _add(told: Activity, bar: int, version: str, failures: int, ended: int) -> None:
    told.bars[bar] += failures
    told.failures += failures
    told.ended += ended
    told.by_version[version] = told.by_version.get(version, 0) + failures
    told.stacks.setdefault(version, [0] * len(told.bars))[bar] += failures


def matrix(fingerprints: Sequence[str], now: datetime) -> dict[str, list[int]]:
    """Failures of each group within the last hours of MATRIX; two statements."""
    found = {name: [0] * len(MATRIX) for name in fingerprints}
    for span, columns in ((SHORT, MATRIX[:2]), (LONG, MATRIX[2:])):
        starts = {
            f"since_{hours}": slot(now, span) - timedelta(hours=hours) + timedelta(seconds=span)
            for hours in columns
        }
        counts = ErrorCount.objects.filter(
            fingerprint__in=list(found), span=span, at__gte=min(starts.values())
        )
        sums: dict[str, Any] = {
            name: Sum("failures", filter=Q(at__gte=start), default=0)
            for name, start in starts.items()
        }
        told = counts.order_by().values("fingerprint").annotate(**sums)
        for name, *numbers in told.values_list("fingerprint", *sums):
            for hours, number in zip(columns, numbers, strict=True):
                found[name][MATRIX.index(hours)] = number
    return found


def unresolved() -> Capped:
    """Groups that are open, counted up to OPEN_CAP."""
    return capped(ErrorGroup.objects.filter(status=GroupStatus.UNRESOLVED), OPEN_CAP)


def newest_failures(fingerprint: str, most: int) -> dict[str, bool]:
    """Runs of its newest failures, the newest first, and whether each ended by one."""
    failures = Failure.objects.filter(fingerprint=fingerprint).order_by("-run_id")
    found: dict[str, bool] = {}
    for run_id, ended in failures.values_list("run_id", "ended")[:most]:
        found[run_id] = ended or found.get(run_id, False)
    return found


def seen(run_id: str) -> dict[int, ErrorGroup]:
    """The group of each attempt of a run that failed, as far as it is counted; 0 for one that expired."""
    failures = dict(Failure.objects.filter(run_id=run_id).values_list("attempt", "fingerprint"))
    if not failures:
        return {}
    groups = ErrorGroup.objects.in_bulk(set(failures.values()))
    return {attempt: groups[name] for attempt, name in failures.items() if name in groups}


def span_of(start: datetime) -> int:
    """Of the counts that reach back to then, the seconds of the finest."""
    return _span(timezone.now() - start)


def _span(length: timedelta) -> int:
    if length <= timedelta(hours=3):
        return SHORT
    return LONG if length < KEPT[LONG] else DAY
