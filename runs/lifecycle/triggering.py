"""Making runs: trigger, alone and in bulk."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.utils import timezone

from runs import conf, signals
from runs.ids import new_ids
from runs.journal import Unborn
from runs.lifecycle import (
    canceling,
    crowding,
    debouncing,
    keys,
    overlapping,
    store,
)
from runs.lifecycle.options import Triggered, TriggerItem, TriggerOptions
from runs.lifecycle.planning import Planner
from runs.lifecycle.rows import Family, Maker, Plan
from runs.models import Run, Source

#: Rows in one statement.
CHUNK = 1000
Rows = list[dict[str, Any]]
Parts = tuple[dict[str, Any], Rows, list[store.Bucket], Rows]


def trigger(
    task_id: str,
    payload: str | None = None,
    options: TriggerOptions | None = None,
    *,
    source: Source,
    actor: str = "",
    validated: bool = False,
) -> Triggered:
    """Make one run; part of the caller's transaction if there is one.

    `payload` is JSON text that `payloads.clean` accepted. Unless `validated`, it is checked against
    the task's stored schema. An id no cluster knows yet is no error: the run waits as
    PENDING_VERSION. Raises InvalidPayload, InvalidOption, UnknownQueue.
    """
    item = TriggerItem(task_id=task_id, payload=payload, options=options or TriggerOptions())
    return trigger_many([item], source=source, actor=actor, validated=validated)[0]


def trigger_many(
    items: Sequence[TriggerItem], *, source: Source, actor: str = "", validated: bool = False
) -> list[Triggered]:
    """Make many runs, all or none, in input order; one statement for each 1,000.

    Errors name the item's position when there are several.
    """
    planner = Planner(Maker(timezone.now(), source, actor), validated)
    plans = planner.plans(items)
    made = list(map(New, new_ids("run", len(items)), items, plans))
    if any(item.options.debounce is not None for item in items):
        with transaction.atomic():  # one after the other: the second may put off the first
            _take_turns(made)
            return [_trigger_alone(one, planner.maker) for one in made]
    if planner.has_lanes:
        with transaction.atomic():
            return _trigger_in_lanes(made, planner.maker)
    return _trigger_freely(made, planner.maker)


def _trigger_freely(made: "list[New]", maker: Maker) -> list[Triggered]:
    """All at once: nothing one of them does concerns another."""
    if not any(one.item.options.idempotency_key is not None for one in made):
        _store(made, maker)
        return [Triggered(one.run_id) for one in made]
    with transaction.atomic():
        return _trigger_once(made, maker)


def prepare(
    items: Sequence[TriggerItem],
    *,
    source: Source,
    validated: bool = False,
    family: Family | None = None,
) -> Unborn | None:
    """Runs that somebody else stores, checked and planned as `trigger_many` does.

    None for those whose making takes more than their rows: `trigger_many` makes them. What was read
    of their parents stays in `family`.
    """
    if len(items) > CHUNK or conf.get("QUEUE_SIZE_LIMIT") or any(map(_takes_more, items)):
        return None
    maker = Maker(timezone.now(), source, "", family or Family())
    planner = Planner(maker, validated)
    plans = planner.plans(items)
    if planner.has_lanes or maker.is_stopping:
        return None
    made = list(map(New, new_ids("run", len(items)), items, plans))
    return Unborn([one.run_id for one in made], *_parts(made))


def _takes_more(item: TriggerItem) -> bool:
    """Whether other rows are looked at or made with this run."""
    options = item.options
    return any(
        one is not None for one in (options.idempotency_key, options.debounce, options.batch_id)
    )


class New(NamedTuple):
    """A run that is about to be stored."""

    run_id: str
    item: TriggerItem
    plan: Plan


def _trigger_in_lanes(made: list[New], maker: Maker) -> list[Triggered]:
    """Those whose task has an overlap policy one after the other, the rest at once."""
    _take_turns(made)
    free = [one for one in made if one.plan.lane is None]
    found = dict(zip((one.run_id for one in free), _trigger_freely(free, maker), strict=True))
    return [found.get(one.run_id) or _trigger_alone(one, maker) for one in made]


def _take_turns(made: list[New]) -> None:
    lanes = {one.plan.lane for one in made if one.plan.lane is not None}
    if lanes:
        overlapping.take_turns(lanes)


def _trigger_alone(one: New, maker: Maker) -> Triggered:
    """Its idempotency key is asked first, then what it is debounced with (DB-8), then its task's policy."""
    ((run_id, wins),) = _winners([one], maker)
    if not wins:
        return Triggered(run_id, is_cached=True)
    if one.item.options.debounce is not None:
        running = debouncing.join(one.item, one.plan, run_id)
        if running is not None:
            debouncing.share_key(run_id, running)
            return Triggered(running, is_cached=True)
    return _enter(one, maker)


def _enter(one: New, maker: Maker) -> Triggered:
    """Make the run, held if it has to be; or name the one its task's overlap policy prefers."""
    run_id, plan = one.run_id, one.plan
    entrance = overlapping.Entrance()
    if plan.lane is not None:
        entrance = overlapping.enter(plan.lane, plan.overlap, one.item.options.parent_id)
    if entrance.skipped_for is not None:
        overlapping.tell_skipped(entrance.skipped_for, maker.actor)
        debouncing.share_key(run_id, entrance.skipped_for)
        return Triggered(entrance.skipped_for, is_cached=True, is_skipped=True)
    _store([one], maker)
    if entrance.behind:
        overlapping.hold(run_id, entrance)
    return Triggered(run_id, is_held=bool(entrance.behind))


def _trigger_once(made: list[New], maker: Maker) -> list[Triggered]:
    """With idempotency keys: only those that win their key become runs."""
    winners = _winners(made, maker)
    _store([one for one, (_, wins) in zip(made, winners, strict=True) if wins], maker)
    return [Triggered(run_id, is_cached=not wins) for run_id, wins in winners]


def _winners(made: list[New], maker: Maker) -> list[tuple[str, bool]]:
    """Each key claims its place: the run that has it now, and whether that is ours."""
    places = [keys.place(one.item) for one in made]
    wanted: dict[keys.Place, tuple[str, datetime]] = {}
    for one, place in zip(made, places, strict=True):
        if place is not None:
            wanted.setdefault(place, (one.run_id, one.plan.row["idempotency_expires_at"]))
    holders = keys.claim(wanted, maker.now)
    found = [
        one.run_id if place is None else holders[place]
        for one, place in zip(made, places, strict=True)
    ]
    return [(run_id, run_id == one.run_id) for one, run_id in zip(made, found, strict=True)]


def _store(made: list[New], maker: Maker) -> None:
    if not made:
        return
    if most := conf.get("QUEUE_SIZE_LIMIT"):
        crowding.check((one.plan for one in made), most)
    parents = ((one.run_id, one.item.options.parent_id) for one in made)
    children = [(run_id, parent) for run_id, parent in parents if parent is not None]
    if len(made) <= CHUNK and not maker.is_stopping:
        _insert(made)
    else:
        with transaction.atomic():
            for start in range(0, len(made), CHUNK):
                _insert(made[start : start + CHUNK])
            if maker.is_stopping:  # what is canceled before its commit never starts
                canceling.follow(children)
    transaction.on_commit(_announce)
    if children:
        transaction.on_commit(lambda: canceling.follow(children), robust=True)


def _insert(made: list[New]) -> None:
    """One statement."""
    store.current().insert(*_parts(made))


def _parts(made: list[New]) -> Parts:
    """What `Store.insert` takes: columns all have in common are handed over once."""
    plans = list({id(one.plan): one.plan for one in made}.values())
    common, differing = _common([plan.row for plan in plans])
    own = {id(plan): {name: plan.row[name] for name in differing} for plan in plans}
    rows = [own[id(one.plan)] | {"id": one.run_id, "payload": one.item.payload} for one in made]
    buckets = {plan.bucket for plan in plans if plan.bucket is not None}
    tags = [{"tag": tag, "run_id": one.run_id} for one in made for tag in one.plan.tags]
    return common, rows, sorted(buckets, key=lambda one: one.place), tags


def _common(rows: list[dict[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    """The columns that are the same in all rows, and the names of the others."""
    first, *others = rows
    differing = {name for row in others for name in row if row[name] != first[name]}
    return {name: first[name] for name in first if name not in differing}, sorted(differing)


def _announce() -> None:
    signals.runs_ready.send(sender=Run)
