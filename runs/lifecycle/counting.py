"""Failures become groups and counts: by housekeeping, so that no two failing runs ever wait for one row."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.utils import timezone

from runs import fingerprints
from runs.lifecycle import regressing
from runs.models import Attempt, ErrorCount, ErrorEvent, ErrorGroup, Failure, GroupChange, Run
from runs.slots import KEPT, slot
from runs.states import RunStatus

#: Failures counted in one transaction.
BATCH = 1000
#: Counts removed in one statement.
OLD = 5000

#: By where rows lie: a join over keys may read the whole table.
TAKE = {
    "postgresql": """
UPDATE runs_failure SET counted = true WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM runs_failure WHERE NOT counted ORDER BY at LIMIT %s FOR UPDATE SKIP LOCKED))
RETURNING fingerprint, version, ended, at, run_id, attempt
""",
    "sqlite": """
UPDATE runs_failure SET counted = 1 WHERE rowid IN (
  SELECT rowid FROM runs_failure WHERE NOT counted ORDER BY at LIMIT %s)
RETURNING fingerprint, version, ended, at, run_id, attempt
""",
}
ADD = """
INSERT INTO runs_errorcount (fingerprint, span, at, version, failures, ended) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (fingerprint, span, at, version) DO UPDATE
   SET failures = runs_errorcount.failures + excluded.failures, ended = runs_errorcount.ended + excluded.ended
"""


class Case(NamedTuple):
    """A failure that has not been counted."""

    fingerprint: str
    version: str
    ended: bool
    at: datetime
    run_id: str
    attempt: int


def count_failures() -> int:
    """Bring groups up to date with some failures that are not counted; returns how many."""
    if not Failure.objects.filter(counted=False).exists():
        return 0
    with transaction.atomic():
        cases = _taken()
        by_group: dict[str, list[Case]] = defaultdict(list)
        for case in sorted(cases, key=lambda case: case.at):
            by_group[case.fingerprint].append(case)
        groups = _groups(by_group)
        regressing.judge(groups, by_group)
        for fingerprint, group in groups.items():
            _tell(group, by_group[fingerprint])
        ErrorGroup.objects.bulk_update(groups.values(), COUNTED + regressing.CHANGED)
        _add(cases)
    return len(cases)


def prune_counts() -> int:
    """Forget counts from before what any page shows. Returns how many."""
    gone = 0
    for span, kept in KEPT.items():
        old = ErrorCount.objects.filter(span=span, at__lt=timezone.now() - kept)
        if found := list(old.order_by("at").values_list("at", flat=True)[:OLD]):
            rows = old.filter(at__lte=found[-1])
            gone += rows._raw_delete(rows.db)
    return gone


def _taken() -> list[Case]:
    with connection.cursor() as cursor:
        cursor.execute(TAKE[connection.vendor], [BATCH])
        rows = [Case(*row) for row in cursor.fetchall()]
    if connection.vendor == "postgresql":
        return rows
    # SQLite's driver hands moments over as text, without a zone, and truths as numbers
    return [row._replace(ended=bool(row.ended), at=_moment(row.at)) for row in rows]


def _moment(value: Any) -> datetime:
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found if found.tzinfo else found.replace(tzinfo=UTC)


#: Columns of a group that counting writes.
COUNTED = ["last_at", "last_run_id", "last_attempt", "last_version", "total", "ended"]


def _tell(group: ErrorGroup, cases: Sequence[Case]) -> None:
    last = cases[-1]
    group.total += len(cases)
    group.ended += sum(case.ended for case in cases)
    if last.at >= group.last_at:
        group.last_at, group.last_version = last.at, last.version
        group.last_run_id, group.last_attempt = last.run_id, last.attempt


def _groups(by_group: dict[str, list[Case]]) -> dict[str, ErrorGroup]:
    """The groups of these cases, made where they are new, and locked in one order."""
    known = set(ErrorGroup.objects.filter(pk__in=by_group).values_list("pk", flat=True))
    new = [_new(cases[0]) for name, cases in sorted(by_group.items()) if name not in known]
    if new:
        ErrorGroup.objects.bulk_create(new, ignore_conflicts=True)
        ErrorEvent.objects.bulk_create(_seen(new))
    locked = ErrorGroup.objects.select_for_update().filter(pk__in=by_group).order_by("pk")
    return {group.pk: group for group in locked}


def _seen(groups: Iterable[ErrorGroup]) -> list[ErrorEvent]:
    return [
        ErrorEvent(
            fingerprint=group.pk,
            kind=GroupChange.SEEN,
            actor="system",
            text=f"In version {group.first_version}." if group.first_version else "",
            at=group.first_at,
        )
        for group in groups
    ]


def _new(case: Case) -> ErrorGroup:
    """What a group is called by its first case; the run may have gone meanwhile."""
    run = Run.objects.filter(pk=case.run_id).only("task_id", "status", "reason", "error").first()
    attempt = Attempt.objects.filter(run_id=case.run_id, number=case.attempt).first()
    error = (attempt and attempt.error) or (run and run.error) or None
    name, message = _said(error, run)
    return ErrorGroup(
        fingerprint=case.fingerprint,
        task_id=run.task_id if run else "",
        name=name[:200],
        message=message.strip().partition("\n")[0][:500],
        place=fingerprints.place(error),
        first_at=case.at,
        last_at=case.at,
        first_run_id=case.run_id,
        last_run_id=case.run_id,
        last_attempt=case.attempt,
        first_version=case.version,
        last_version=case.version,
        changed_at=case.at,
    )


def _said(error: str | None, run: Run | None) -> tuple[str, str]:
    if error is None or (run is not None and run.status == RunStatus.EXPIRED):
        return "Expired", run.reason if run else ""
    facts = fingerprints.parsed(error)
    name = str(facts.get("code") or facts.get("name") or "Error")
    return name, str(facts.get("message") or "")


def _add(cases: Iterable[Case]) -> None:
    failures: Counter[tuple[str, int, datetime, str]] = Counter()
    ended: Counter[tuple[str, int, datetime, str]] = Counter()
    for case in cases:
        for span in KEPT:
            place = (case.fingerprint, span, slot(case.at, span), case.version)
            failures[place] += 1
            ended[place] += case.ended
    adapt = connection.ops.adapt_datetimefield_value
    rows = [
        (
            name,
            span,
            adapt(at),
            version,
            failures[name, span, at, version],
            ended[name, span, at, version],
        )
        for name, span, at, version in sorted(failures)
    ]
    with connection.cursor() as cursor:
        cursor.executemany(ADD, rows)
