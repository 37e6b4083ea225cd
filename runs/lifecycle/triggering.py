"""Making runs: trigger, alone and in bulk."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from runs import payloads, signals
from runs.errors import RunsError
from runs.ids import new_ids
from runs.lifecycle import checks, definitions, keys, store
from runs.lifecycle.options import Triggered, TriggerItem, TriggerOptions
from runs.lifecycle.rows import Maker, Plan
from runs.models import Run, Source
from runs.states import RunStatus

#: Rows in one statement.
CHUNK = 1000


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
    maker = Maker(timezone.now(), source, actor)
    plans = [
        _planned(index, item, len(items), maker.now, validated) for index, item in enumerate(items)
    ]
    made = list(zip(new_ids("run", len(plans)), plans, strict=True))
    if not any(item.options.idempotency_key is not None for item in items):
        _store(made, maker)
        return [Triggered(run_id) for run_id, _ in made]
    with transaction.atomic():
        return _trigger_once(made, maker)


def _planned(index: int, item: TriggerItem, count: int, now: datetime, validated: bool) -> Plan:
    try:
        checks.item(item)
        facts = definitions.task(item.task_id)
        if facts.schema and not validated:
            payloads.check(facts.schema, "null" if item.payload is None else item.payload)
        return Plan(item, facts, now)
    except RunsError as error:
        if count > 1:
            error.args = (f"Item {index}: {error}",)
        raise


def _trigger_once(made: list[tuple[str, Plan]], maker: Maker) -> list[Triggered]:
    """With idempotency keys: each key first claims its place, only winners become runs.

    Keys are claimed in one order by everybody, so two bulk triggers never wait for one another.
    """
    winners = {
        run_id: keys.claim(run_id, plan.item, maker.now)
        for run_id, plan in sorted(made, key=_by_key)
    }
    _store([(run_id, plan) for run_id, plan in made if winners[run_id] == run_id], maker)
    return [Triggered(winners[run_id], is_cached=winners[run_id] != run_id) for run_id, _ in made]


def _by_key(made: tuple[str, Plan]) -> tuple[str, str]:
    item = made[1].item
    return item.task_id, keys.hashed(item.options.idempotency_key)


def _store(made: list[tuple[str, Plan]], maker: Maker) -> None:
    rows = [plan.run(run_id, maker) for run_id, plan in made]
    if not rows:
        return
    plans = [plan for _, plan in made]
    if len(rows) <= CHUNK:
        _insert(rows, plans)
    else:
        with transaction.atomic():
            for start in range(0, len(rows), CHUNK):
                _insert(rows[start : start + CHUNK], plans[start : start + CHUNK])
    transaction.on_commit(_announce)


def _insert(rows: list[dict[str, Any]], plans: list[Plan]) -> None:
    ready = [
        plan.ready(row["id"], row["sort_key"])
        for row, plan in zip(rows, plans, strict=True)
        if plan.status != RunStatus.PENDING_VERSION
    ]
    tags = [
        {"tag": tag, "run_id": row["id"]}
        for row, plan in zip(rows, plans, strict=True)
        for tag in plan.tags
    ]
    store.current().insert(rows, ready, tags)


def _announce() -> None:
    signals.runs_ready.send(sender=Run)
