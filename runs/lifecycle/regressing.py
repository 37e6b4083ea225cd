"""Groups come back: what was resolved fails again, what was ignored has reached its limit."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from django.db import transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone

from runs.lifecycle.transition import skip_locked
from runs.models import ErrorCount, ErrorEvent, ErrorGroup, GroupChange, GroupStatus
from runs.slots import SHORT

SYSTEM = "system"
HOUR = timedelta(hours=1)
#: Groups that come back in one transaction.
BATCH = 200
#: Columns of a group that coming back writes.
CHANGED = [
    "status",
    "changed_at",
    "changed_by",
    "revision",
    "ignored_until",
    "ignored_rate",
    "ignored_total",
]


class Case(Protocol):
    """A failure."""

    @property
    def version(self) -> str: ...
    @property
    def at(self) -> datetime: ...


def judge(groups: Mapping[str, ErrorGroup], cases: Mapping[str, Sequence[Case]]) -> None:
    """Let come back what these cases, not counted yet, bring back; the caller saves the groups."""
    events = []
    for fingerprint, group in groups.items():
        kind, why = _verdict(group, cases[fingerprint])
        if kind:
            events.append(_come_back(group, kind, why))
    ErrorEvent.objects.bulk_create(events)


def return_due() -> int:
    """Groups whose time of being ignored is over come back. Returns how many."""
    now = timezone.now()
    due = ErrorGroup.objects.filter(ignored_until__lte=now, status=GroupStatus.IGNORED)
    if not due.exists():
        return 0
    with transaction.atomic():
        groups = list(due.order_by("pk").select_for_update(**skip_locked())[:BATCH])
        why = "The time it was ignored for is over."
        ErrorEvent.objects.bulk_create(
            [_come_back(group, GroupChange.RETURNED, why) for group in groups]
        )
        ErrorGroup.objects.bulk_update(groups, CHANGED)
    return len(groups)


def _verdict(group: ErrorGroup, cases: Sequence[Case]) -> tuple[GroupChange | None, str]:
    """Whether a group comes back for these cases, and why."""
    later = [case for case in cases if case.at > group.changed_at]
    if group.status == GroupStatus.RESOLVED and later:
        return _regressed(group, later)
    if group.status == GroupStatus.IGNORED:
        return _returned(group, cases)
    return None, ""


def _regressed(group: ErrorGroup, later: Sequence[Case]) -> tuple[GroupChange | None, str]:
    versions = {case.version for case in later}
    if group.resolved_in:
        versions -= _seen_before(group) - {group.resolved_in}
    if not versions:
        return None, ""
    named = ", ".join(sorted(filter(None, versions)))
    return GroupChange.REGRESSED, f"It failed again in version {named}." if named else ""


def _seen_before(group: ErrorGroup) -> set[str]:
    """Versions it had failed in when it was resolved: they fail until nobody runs them any more."""
    before = ErrorCount.objects.filter(fingerprint=group.pk, at__lte=group.changed_at)
    return set(before.values_list("version", flat=True).distinct())


def _returned(group: ErrorGroup, cases: Sequence[Case]) -> tuple[GroupChange | None, str]:
    total = group.total + len(cases)
    if group.ignored_total is not None and total > group.ignored_total:
        return GroupChange.RETURNED, f"It has failed {total:,} times."
    if group.ignored_rate is not None:
        since = max(cases[-1].at - HOUR, group.changed_at)
        count = _within(group, since) + sum(case.at > since for case in cases)
        if count > group.ignored_rate:
            return GroupChange.RETURNED, f"It failed {count:,} times within an hour."
    return None, ""


def _within(group: ErrorGroup, since: datetime) -> int:
    """Failures counted since then, by slots that began after it."""
    found: QuerySet[ErrorCount] = ErrorCount.objects.filter(
        fingerprint=group.pk, span=SHORT, at__gte=since
    )
    return int(found.aggregate(sum=Sum("failures"))["sum"] or 0)


def _come_back(group: ErrorGroup, kind: GroupChange, why: str) -> ErrorEvent:
    now = timezone.now()
    group.status, group.changed_at, group.changed_by = GroupStatus.UNRESOLVED, now, SYSTEM
    group.revision += 1
    group.ignored_until = group.ignored_rate = group.ignored_total = None
    return ErrorEvent(fingerprint=group.pk, kind=kind, actor=SYSTEM, text=why, at=now)
