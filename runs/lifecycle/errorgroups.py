"""What people decide about a group of errors: one verb, one function."""

from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from runs.errors import InvalidOption, NotFound, RunsError
from runs.lifecycle import audit
from runs.models import ErrorEvent, ErrorGroup, GroupChange, GroupStatus

MAX_REASON, MAX_NOTE, MAX_ASSIGNEE = 500, 5000, 150
MAX_VERSION = 64
#: The most failures in an hour, or in all, that a group may be ignored until.
MOST = 1_000_000_000


class Stale(RunsError):
    """Somebody, or a failure, changed the group after the form about it was made."""

    def __init__(self, group: ErrorGroup) -> None:
        super().__init__(
            f"This error is {group.get_status_display().lower()} now: it changed while you looked at it."
        )
        self.group = group


def resolve(
    fingerprint: str, *, actor: str, version: str = "", reason: str = "", seen: int | None = None
) -> ErrorGroup:
    """It is mended; it comes back with its next failure, or the next in `version` or a new one."""
    version, reason = _text(version, "version", MAX_VERSION), _text(reason, "reason", MAX_REASON)
    with transaction.atomic():
        group = _locked(fingerprint, seen)
        _decide(group, GroupStatus.RESOLVED, actor, reason)
        group.resolved_in = version
        group.save()
        where = f"In version {version}." if version else ""
        _tell(group, GroupChange.RESOLVED, actor, f"{where} {reason}".strip(), version=version)
    return group


def ignore(
    fingerprint: str,
    *,
    actor: str,
    until: datetime | None = None,
    rate: int | None = None,
    count: int | None = None,
    reason: str = "",
    seen: int | None = None,
) -> ErrorGroup:
    """Leave it alone: until a moment, until more than `rate` failures come within an hour, until
    `count` more have come, or with none of them for ever.
    """
    now, reason = timezone.now(), _text(reason, "reason", MAX_REASON)
    if until is not None and until <= now:
        raise InvalidOption("until", "This time has passed.")
    for name, number in (("rate", rate), ("count", count)):
        if number is not None and not 1 <= number <= MOST:
            raise InvalidOption(name, f"Give a number from 1 to {MOST:,}.")
    with transaction.atomic():
        group = _locked(fingerprint, seen)
        _decide(group, GroupStatus.IGNORED, actor, reason)
        group.ignored_until, group.ignored_rate = until, rate
        group.ignored_total = None if count is None else group.total + count
        group.save()
        said = f"{condition(group)} {reason}".strip()
        facts = {"until": until, "rate": rate, "count": count}
        _tell(group, GroupChange.IGNORED, actor, said, reason, **facts)
    return group


def reopen(fingerprint: str, *, actor: str, seen: int | None = None) -> ErrorGroup:
    """It is open again."""
    with transaction.atomic():
        group = _locked(fingerprint, seen)
        if group.status == GroupStatus.UNRESOLVED:
            return group
        _decide(group, GroupStatus.UNRESOLVED, actor, "")
        group.save()
        _tell(group, GroupChange.REOPENED, actor, "")
    return group


def assign(fingerprint: str, to: str, *, actor: str, seen: int | None = None) -> ErrorGroup:
    """Somebody looks after it; with an empty name nobody does."""
    to = _text(to, "assignee", MAX_ASSIGNEE)
    with transaction.atomic():
        group = _locked(fingerprint, seen)
        if group.assignee == to:
            return group
        group.assignee, group.revision = to, group.revision + 1
        group.save()
        _tell(group, GroupChange.ASSIGNED, actor, f"To {to}." if to else "To nobody.", assignee=to)
    return group


def write_note(fingerprint: str, text: str, *, actor: str) -> ErrorEvent:
    """Say something about it; notes contradict nothing, so none is stale."""
    text = _text(text, "text", MAX_NOTE)
    if not text:
        raise InvalidOption("text", "A note has words.")
    with transaction.atomic():
        group = _locked(fingerprint, None)
        return _tell(group, GroupChange.NOTED, actor, text)


def condition(group: ErrorGroup) -> str:
    """What an ignored group comes back for."""
    wants = []
    if group.ignored_until is not None:
        wants.append(f"{group.ignored_until.astimezone(UTC):%Y-%m-%d %H:%M} UTC")
    if group.ignored_rate is not None:
        wants.append(f"more than {group.ignored_rate:,} failures within an hour")
    if group.ignored_total is not None:
        wants.append(f"more than {group.ignored_total:,} failures in all")
    return f"Until {' or '.join(wants)}." if wants else "Until somebody reopens it."


def _locked(fingerprint: str, seen: int | None) -> ErrorGroup:
    group = ErrorGroup.objects.select_for_update().filter(pk=fingerprint).first()
    if group is None:
        raise NotFound(f"There is no error {fingerprint}.")
    if seen is not None and seen != group.revision:
        raise Stale(group)
    return group


def _decide(group: ErrorGroup, status: GroupStatus, actor: str, reason: str) -> None:
    group.status, group.changed_at, group.changed_by = status, timezone.now(), actor
    group.reason, group.revision = reason, group.revision + 1
    group.resolved_in, group.ignored_until = "", None
    group.ignored_rate = group.ignored_total = None


def _tell(
    group: ErrorGroup, kind: GroupChange, actor: str, text: str, reason: str = "", **data: Any
) -> ErrorEvent:
    audit.record(actor, f"error.{kind}", group.pk, reason=reason or text, **data)
    return ErrorEvent.objects.create(
        fingerprint=group.pk, kind=kind, actor=actor, text=text, at=timezone.now()
    )


def _text(value: str, name: str, most: int) -> str:
    value = value.replace("\x00", "").strip()
    if len(value) > most:
        raise InvalidOption(name, f"At most {most:,} characters.")
    return value
