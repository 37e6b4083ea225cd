"""Looking at what rules watch, by housekeeping: nothing is asked where runs end.

What a rule sees is a hit, once. Hits are told at once, or a minute after the rule's last message,
together: a storm is one message a minute.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from runs import redaction
from runs.lifecycle import alerthits, alerts
from runs.lifecycle.alerthits import Hit
from runs.models import (
    AlertChannel,
    AlertDelivery,
    AlertHit,
    AlertMark,
    AlertRule,
    Depth,
    ErrorEvent,
    ErrorGroup,
    GroupChange,
    RuleKind,
    Run,
    ScheduleTick,
    SessionState,
    TickOutcome,
    WorkerSession,
)
from runs.models.task import OWN

#: A run is looked at so long after its end, and again a little later: it may be recorded late.
GRACE, OVERLAP = timedelta(seconds=2), timedelta(seconds=60)
#: One message a rule within this.
PAUSE = timedelta(seconds=60)
#: Hits of one rule and look, and those a message names.
MOST, NAMED = 1000, 10
#: How long hits and deliveries are kept.
HITS_KEPT, KEPT = timedelta(days=1), timedelta(days=30)
TURN = timedelta(seconds=60)
BATCH = 1000


def watch() -> int:
    """Look once, unless another cluster does; returns how many messages were made."""
    rules = list(AlertRule.objects.filter(active=True))
    if not rules:
        return 0
    now, mark = timezone.now(), _mark()
    free = Q(taken_until=None) | Q(taken_until__lte=now)
    if not AlertMark.objects.filter(free, pk=mark.pk).update(taken_until=now + TURN):
        return 0
    mark.refresh_from_db()
    with transaction.atomic():
        look = Look(mark)
        for rule in rules:
            _keep(rule, look.hits(rule))
        look.advance()
    return sum(_tell(rule) for rule in rules)


def prune() -> int:
    """Forget old hits and deliveries. Returns how many."""
    now, gone = timezone.now(), 0
    for model, kept in ((AlertHit, HITS_KEPT), (AlertDelivery, KEPT)):
        old: Any = model._default_manager.filter(at__lt=now - kept).order_by("at")
        ids = list(old.values_list("pk", flat=True)[:BATCH])
        gone += model._default_manager.filter(pk__in=ids).delete()[0] if ids else 0
    return gone


def _mark() -> AlertMark:
    found = AlertMark.objects.order_by("pk").first()
    if found is not None:
        return found
    newest = {
        "until": timezone.now() - GRACE,
        "error_event": ErrorEvent.objects.order_by("-id").values_list("id", flat=True).first() or 0,
        "tick": ScheduleTick.objects.order_by("-id").values_list("id", flat=True).first() or 0,
    }
    return AlertMark.objects.get_or_create(pk=1, defaults=newest)[0]


class Look:
    """What is new since the mark."""

    def __init__(self, mark: AlertMark) -> None:
        self.mark, self.now = mark, timezone.now()
        self.until = max(mark.until, self.now - GRACE)
        self.rules = redaction.rules()
        self.events = list(ErrorEvent.objects.filter(id__gt=mark.error_event).order_by("id")[:MOST])
        self.ticks = list(ScheduleTick.objects.filter(id__gt=mark.tick).order_by("id")[:MOST])

    def hits(self, rule: AlertRule) -> Iterable[Hit]:
        """What a rule sees."""
        seers = {
            RuleKind.STATUS: self._ended,
            RuleKind.NEW_ERROR: self._errors,
            RuleKind.REGRESSED: self._errors,
            RuleKind.FAILED_SO: self._failed,
            RuleKind.IN_VIEW: self._viewed,
            RuleKind.BACKLOG: self._full,
            RuleKind.OLDEST: self._full,
            RuleKind.MISSED: self._missed,
            RuleKind.WORKER_GONE: self._gone,
        }
        return seers[RuleKind(rule.kind)](rule)

    def advance(self) -> None:
        mark = self.mark
        mark.until, mark.taken_until = self.until, None
        mark.error_event = self.events[-1].pk if self.events else mark.error_event
        mark.tick = self.ticks[-1].pk if self.ticks else mark.tick
        mark.save()

    def _ended(self, rule: AlertRule) -> Iterator[Hit]:
        ended = Run.objects.filter(
            finished_at__gte=max(self.mark.until - OVERLAP, rule.created_at),
            finished_at__lt=self.until,
            status__in=rule.status_list,
        ).exclude(task_id__startswith=OWN)
        ended = ended.filter(task_id=rule.task_id) if rule.task_id else ended
        for run in ended.only("task_id", "status", "error", "reason").order_by("finished_at")[
            :MOST
        ]:
            yield Hit(run.pk, self._line(run), f"/runs/{run.pk}")

    def _line(self, run: Run) -> str:
        error = json.loads(run.error) if run.error else {}
        why = f"{error.get('name')}: {error.get('message')}" if error else run.reason
        line = f"{run.task_id} {run.get_status_display().lower()}" + (f": {why}" if why else "")
        return self.rules.text(line)[:500]

    def _errors(self, rule: AlertRule) -> Iterator[Hit]:
        kind = GroupChange.SEEN if rule.kind == RuleKind.NEW_ERROR else GroupChange.REGRESSED
        seen = (one for one in self.events if one.kind == kind and one.at >= rule.created_at)
        ids = {event.fingerprint: event.pk for event in seen}
        groups = ErrorGroup.objects.filter(pk__in=ids).exclude(task_id__startswith=OWN)
        for group in groups.filter(task_id=rule.task_id) if rule.task_id else groups:
            word = "new error" if kind == GroupChange.SEEN else "error is back"
            line = self.rules.text(f"{group.task_id}, {word}: {group.name}: {group.message}")
            yield Hit(f"event:{ids[group.pk]}", line[:500], f"/errors/{group.pk}")

    def _failed(self, rule: AlertRule) -> Iterable[Hit]:
        return alerthits.failed_again(rule, self.now, self.rules.text)

    def _viewed(self, rule: AlertRule) -> Iterable[Hit]:
        return alerthits.came_into_view(rule, self.now, self._line)

    def _missed(self, rule: AlertRule) -> Iterator[Hit]:
        for tick in self.ticks:
            schedule = tick.schedule
            fits = not rule.task_id or schedule.task_id == rule.task_id
            fits = fits and tick.recorded_at >= rule.created_at
            if tick.outcome == TickOutcome.MISSED and fits:
                line = f"{schedule.task_id} missed its fire of {tick.at:%Y-%m-%d %H:%M} UTC"
                yield Hit(f"tick:{tick.pk}", line, f"/schedules/{schedule.pk}")

    def _gone(self, rule: AlertRule) -> Iterator[Hit]:
        since = max(self.mark.until - OVERLAP, rule.created_at)
        dead = WorkerSession.objects.filter(state=SessionState.DEAD, stopped_at__gte=since)
        for session in dead[:MOST]:
            line = f"The cluster {session.cluster} on {session.host} stopped answering"
            yield Hit(f"session:{session.pk}", line, "/workers")

    def _full(self, rule: AlertRule) -> Iterator[Hit]:
        """Told when it begins and when it is over, by the newest sample of each queue."""
        newest = Depth.objects.filter(queue="").order_by("-at").values_list("at", flat=True).first()
        if newest is None:
            return
        column = "queued" if rule.kind == RuleKind.BACKLOG else "oldest"
        over = Depth.objects.filter(**{"at": newest, f"{column}__gt": rule.threshold})
        over = over.filter(queue=rule.queue) if rule.queue else over.exclude(queue="")
        full = {one.queue: getattr(one, column) for one in over.exclude(queue=alerts.QUEUE)}
        firing: dict[str, str] = json.loads(rule.firing)
        at = newest.isoformat()
        for name in sorted(full.keys() - firing.keys()):
            line = self._over(rule, name, full[name])
            yield Hit(f"full:{name[:100]}:{at}", line, f"/queues/{name}")
        for name in sorted(firing.keys() - full.keys()):
            yield Hit(f"fine:{name[:100]}:{at}", f"{name} is fine again", f"/queues/{name}")
        rule.firing = json.dumps({name: firing.get(name, at) for name in full})
        AlertRule.objects.filter(pk=rule.pk).update(firing=rule.firing)

    def _over(self, rule: AlertRule, name: str, value: int) -> str:
        if rule.kind == RuleKind.BACKLOG:
            return f"{name}: {value:,} runs queued, more than {rule.threshold:,.0f}"
        return f"{name}: the oldest run has waited {value:,} s, longer than {rule.threshold:,.0f} s"


def _keep(rule: AlertRule, hits: Iterable[Hit]) -> None:
    now = timezone.now()
    AlertHit.objects.bulk_create(
        (AlertHit(rule=rule, at=now, **hit._asdict()) for hit in hits), ignore_conflicts=True
    )


def _tell(rule: AlertRule) -> int:
    """One message for what a rule has not told yet, to each of its channels."""
    now = timezone.now()
    untold = AlertHit.objects.filter(rule=rule, told=False)
    if (rule.sent_at and rule.sent_at > now - PAUSE) or not untold.exists():
        return 0
    with transaction.atomic():
        mine = AlertRule.objects.filter(pk=rule.pk, sent_at=rule.sent_at).update(sent_at=now)
        ids = list(untold.order_by("id").values_list("pk", flat=True)[: MOST * 10]) if mine else []
        if not ids:
            return 0
        first = AlertHit.objects.filter(pk__in=ids[:NAMED]).order_by("id")
        message = {
            "title": rule.name,
            "count": len(ids),
            "items": [{"text": hit.text, "path": hit.path} for hit in first],
        }
        AlertHit.objects.filter(rule=rule, told=False, pk__lte=ids[-1]).update(told=True)
        channels = list(AlertChannel.objects.filter(rules=rule, active=True))
        for channel in channels:
            alerts.deliver(channel, rule, message)
    return len(channels)
