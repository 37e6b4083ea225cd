"""What rules about one error or one search of runs see."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Sum

from runs.lifecycle.regressing import HOUR
from runs.models import AlertRule, ErrorCount, ErrorGroup, Run
from runs.models.run import RunQuerySet
from runs.models.task import OWN
from runs.reads.deadline import TooSlow, deadline
from runs.reads.runfilter import RunFilter
from runs.slots import SHORT

#: Runs of a search that are looked at, the newest; and how far back, how often and how long.
MOST = 500
DAY, PAUSE = timedelta(days=1), timedelta(seconds=60)
PATIENCE = 2.0


class Hit(NamedTuple):
    """What a rule saw."""

    key: str
    text: str
    path: str


def failed_again(rule: AlertRule, now: datetime, masked: Callable[[str], str]) -> Iterator[Hit]:
    """What was counted for one error since the last look; with a threshold when more than that come
    within an hour, and when that is over.
    """
    group = ErrorGroup.objects.filter(pk=rule.fingerprint).first()
    if group is None:
        return
    name = masked(f"{group.task_id}, {group.name}: {group.message}")[:300]
    if rule.threshold is not None:
        said = f"{name}: failed more than {rule.threshold:,.0f} times within an hour"
        is_over = _within_an_hour(group, now) > rule.threshold
        yield from _edge(rule, is_over, now, said, f"/errors/{group.pk}", name)
        return
    before = json.loads(rule.firing).get("total")
    if before == group.total:
        return
    _keep(rule, {"total": group.total})
    if before is not None:  # what was before the rule is no news
        new = group.total - before
        said = f"{name}: failed again" + (f", {new:,} times" if new > 1 else "")
        yield Hit(f"total:{group.total}", said, f"/runs/{group.last_run_id}")


def _within_an_hour(group: ErrorGroup, now: datetime) -> int:
    counts = ErrorCount.objects.filter(fingerprint=group.pk, span=SHORT, at__gte=now - HOUR)
    return int(counts.aggregate(sum=Sum("failures"))["sum"] or 0)


def came_into_view(rule: AlertRule, now: datetime, line: Callable[[Run], str]) -> Iterator[Hit]:
    """Runs that a search finds and did not find before; with a threshold when it finds more than that,
    and when that is over. Looked at once a minute.
    """
    before: dict[str, Any] = json.loads(rule.firing)
    if "at" in before and datetime.fromisoformat(before["at"]) > now - PAUSE:
        return
    try:
        with deadline(PATIENCE):
            if rule.threshold is not None:
                yield from _too_many(rule, now)
                return
            found = list(_found(rule, now).only("task_id", "status", "error", "reason")[:MOST])
    except TooSlow:
        return
    known = before.get("ids")
    _keep(rule, {"at": now.isoformat(), "ids": [run.pk for run in found]})
    if known is None:
        return  # what was there before the rule is no news
    floor = min(known) if len(known) >= MOST else ""
    for run in found:
        if run.pk not in known and run.pk > floor:
            yield Hit(f"view:{run.pk}", line(run), f"/runs/{run.pk}")


def _found(rule: AlertRule, now: datetime) -> RunQuerySet:
    """What the search finds among runs of the last day, or of its own shorter range."""
    facts: dict[str, Any] = json.loads(rule.selection or "{}")
    length = timedelta(seconds=min(facts.pop("within", None) or 1e9, DAY.total_seconds()))
    runs = RunFilter.of(facts | {"start": (now - length).isoformat()}).runs()
    return runs.exclude(task_id__startswith=OWN).order_by("-id")


def _too_many(rule: AlertRule, now: datetime) -> list[Hit]:
    most = int(rule.threshold or 0)
    # no further than it matters
    is_over = len(_found(rule, now).order_by().values_list("pk")[: most + 1]) > most
    path = f"/runs?view={rule.view_id}" if rule.view_id else "/runs"
    said = f"{rule.name}: more than {most:,} run{'' if most == 1 else 's'}"
    return list(_edge(rule, is_over, now, said, path, rule.name))


def _edge(
    rule: AlertRule, is_over: bool, now: datetime, said: str, path: str, name: str
) -> Iterator[Hit]:
    """Told when it begins and when it is over."""
    was_over = bool(json.loads(rule.firing).get("over"))
    _keep(rule, {"at": now.isoformat(), "over": is_over})
    if is_over and not was_over:
        yield Hit(f"over:{now.isoformat()}", said, path)
    elif was_over and not is_over:
        yield Hit(f"fine:{now.isoformat()}", f"{name}: fine again", path)


def _keep(rule: AlertRule, firing: dict[str, Any]) -> None:
    rule.firing = json.dumps(firing)
    AlertRule.objects.filter(pk=rule.pk).update(firing=rule.firing)
