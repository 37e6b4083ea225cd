"""Making runs: trigger, alone and in bulk."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from runs import conf, payloads, signals
from runs.errors import InvalidOption, InvalidPayload, RunsError
from runs.ids import new_ids
from runs.lifecycle import definitions, store
from runs.lifecycle.definitions import TaskFacts
from runs.lifecycle.options import MAX_TAGS, Triggered, TriggerItem, TriggerOptions
from runs.models import Run, Source
from runs.states import RunStatus

#: Rows in one statement.
CHUNK = 1000
FAR_FUTURE = 100 * 366 * 86400.0
COLUMNS = [field.column for field in Run._meta.concrete_fields]


def trigger(  # noqa: PLR0913  the five facts of a trigger
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
    now = timezone.now()
    plans = [
        _planned(index, item, len(items), now, validated) for index, item in enumerate(items)
    ]
    ids = list(new_ids("run", len(plans)))
    if not any(item.options.idempotency_key for item in items):
        rows = [
            _row(run_id, plan, now, source, actor) for run_id, plan in zip(ids, plans, strict=True)
        ]
        _store(rows, plans)
        return [Triggered(run_id) for run_id in ids]
    with transaction.atomic():
        return _trigger_once(ids, plans, now, source, actor)


class Plan:
    """One item with its task's defaults filled in and its queue resolved."""

    __slots__ = ("facts", "item", "queue", "queue_id", "status", "tags")

    def __init__(self, item: TriggerItem, facts: TaskFacts, now: datetime) -> None:
        options = item.options
        self.item, self.facts = item, facts
        self.queue = options.queue or facts.queue
        self.queue_id = definitions.queue_id(self.queue)
        self.tags = sorted(set(facts.tags if options.tags is None else options.tags))
        self.status = RunStatus.QUEUED
        if not facts.known or facts.broken:
            self.status = RunStatus.PENDING_VERSION
        elif (due := self.delay_until(now)) is not None and due > now:
            self.status = RunStatus.DELAYED

    def delay_until(self, now: datetime) -> datetime | None:
        delay = self.item.options.delay
        if delay is None or isinstance(delay, datetime):
            return delay
        return now + timedelta(seconds=delay)

    @property
    def reason(self) -> str:
        if self.status != RunStatus.PENDING_VERSION:
            return ""
        if self.facts.broken:
            return "The task's file failed to import; it runs once a version that imports is there."
        return "No cluster has registered this task yet."

    @property
    def key_hash(self) -> str:
        return hashed(self.item.options.concurrency_key)


def hashed(key: str | None) -> str:
    """SHA-256 hex of a key, empty for none. Lone surrogates cannot be stored, so none arrive."""
    return "" if key is None else hashlib.sha256(key.encode()).hexdigest()


def _planned(
    index: int, item: TriggerItem, count: int, now: datetime, validated: bool
) -> Plan:
    try:
        check_options(item)
        facts = definitions.task(item.task_id)
        if facts.schema and not validated:
            payloads.check(facts.schema, "null" if item.payload is None else item.payload)
        return Plan(item, facts, now)
    except RunsError as error:
        if count > 1:
            error.args = (f"Item {index}: {error}",)
        raise


def _trigger_once(
    ids: list[str], plans: list[Plan], now: datetime, source: Source, actor: str
) -> list[Triggered]:
    """With idempotency keys: each key first claims its place, only winners become runs."""
    answers, rows, made = [], [], []
    for run_id, plan in zip(ids, plans, strict=True):
        winner = _claim_key(run_id, plan, now)
        answers.append(Triggered(winner, is_cached=winner != run_id))
        if winner == run_id:
            rows.append(_row(run_id, plan, now, source, actor))
            made.append(plan)
    _store(rows, made)
    return answers


CLAIM_KEY = """
INSERT INTO runs_idempotency (task_id, key_hash, run_id, expires_at) VALUES (%s, %s, %s, %s)
ON CONFLICT (task_id, key_hash) DO UPDATE SET run_id = EXCLUDED.run_id, expires_at = EXCLUDED.expires_at
 WHERE runs_idempotency.expires_at <= %s
RETURNING run_id
"""
KEY_HOLDER = "SELECT run_id FROM runs_idempotency WHERE task_id = %s AND key_hash = %s"


def _claim_key(run_id: str, plan: Plan, now: datetime) -> str:
    """The run that holds the key now: ours, or the one that was first (waits for a twin's commit)."""
    options = plan.item.options
    if options.idempotency_key is None:
        return run_id
    key = (plan.item.task_id, hashed(options.idempotency_key))
    expires = now + timedelta(seconds=options.idempotency_ttl)
    adapt = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        for _ in range(3):
            cursor.execute(CLAIM_KEY, [*key, run_id, adapt(expires), adapt(now)])
            if cursor.fetchone():
                return run_id
            cursor.execute(KEY_HOLDER, key)
            if found := cursor.fetchone():
                return str(found[0])
    raise InvalidOption("idempotency_key", "The key is being used by other callers; try again.")


def _store(rows: list[dict[str, Any]], plans: list[Plan]) -> None:
    if not rows:
        return
    if len(rows) <= CHUNK:
        _insert(rows, plans)
    else:
        with transaction.atomic():
            for start in range(0, len(rows), CHUNK):
                _insert(rows[start : start + CHUNK], plans[start : start + CHUNK])
    transaction.on_commit(_announce)


def _announce() -> None:
    signals.runs_ready.send(sender=Run)


def _insert(rows: list[dict[str, Any]], plans: list[Plan]) -> None:
    ready = [
        {
            "run_id": row["id"],
            "queue_id": plan.queue_id,
            "concurrency_key": row["concurrency_key"],
            "key_hash": plan.key_hash,
            "sort_key": row["sort_key"],
            "not_before": row["delay_until"] if row["status"] == RunStatus.DELAYED else None,
        }
        for row, plan in zip(rows, plans, strict=True)
        if row["status"] != RunStatus.PENDING_VERSION
    ]
    tags = [
        {"tag": tag, "run_id": row["id"]}
        for row, plan in zip(rows, plans, strict=True)
        for tag in plan.tags
    ]
    store.current().insert(rows, ready, tags)


def _row(run_id: str, plan: Plan, now: datetime, source: Source, actor: str) -> dict[str, Any]:
    """Every column of the new run."""
    options, facts = plan.item.options, plan.facts
    due = plan.delay_until(now)
    joins = max(due, now) if due is not None else now
    priority = facts.priority if options.priority is None else options.priority
    ttl = (facts.ttl if options.ttl is None else options.ttl) or None
    queued = plan.status == RunStatus.QUEUED
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= NEW
    row |= {
        "id": run_id,
        "task_id": plan.item.task_id,
        "status": plan.status.value,
        "reason": plan.reason,
        "payload": plan.item.payload,
        "metadata": options.metadata,
        "seed_metadata": options.metadata,
        "tags": json.dumps(plan.tags),
        "queue": plan.queue,
        "concurrency_key": options.concurrency_key,
        "priority": priority,
        "sort_key": int((joins.timestamp() - priority) * 1_000_000),
        "max_attempts": max(options.max_attempts or facts.max_attempts, 1),
        "max_duration": options.max_duration or facts.max_duration,
        "ttl": ttl,
        "machine": options.machine or facts.machine,
        "version": options.version or "",
        "is_test": options.is_test,
        "source": source.value,
        "actor": actor,
        "created_at": now,
        "queued_at": now if queued else None,
        "delay_until": due,
        "expires_at": now + timedelta(seconds=ttl) if ttl and queued else None,
        "updated_at": now,
    }
    if options.idempotency_key is not None:
        row["idempotency_key"] = options.idempotency_key
        row["idempotency_scope"] = options.idempotency_scope
        row["idempotency_expires_at"] = now + timedelta(seconds=options.idempotency_ttl)
    if options.parent_id:
        row |= _lineage(options.parent_id)
    return row


#: Columns a new run has zero or empty.
NEW = {
    "attempt_number": 0,
    "uncounted_attempts": 0,
    "crash_count": 0,
    "idempotency_scope": "",
    "depth": 0,
    "usage_ms": 0,
    "done_token": "",
}


def _lineage(parent_id: str) -> dict[str, Any]:
    parent = Run.objects.filter(pk=parent_id).values("root_id", "depth", "is_test").first()
    if parent is None:
        raise InvalidOption("parent_id", f"There is no run {parent_id} to be the parent.")
    lineage = {"parent_id": parent_id, "root_id": parent["root_id"] or parent_id}
    lineage["depth"] = parent["depth"] + 1
    return lineage | ({"is_test": True} if parent["is_test"] else {})


MACHINES = ("micro", "small-1x", "small-2x", "medium-1x", "medium-2x", "large-1x", "large-2x")


def check_options(item: TriggerItem) -> None:
    """Raise InvalidOption for the first option that is out of its range."""
    if not 0 < len(item.task_id) <= 256:
        raise InvalidOption("task", "A task id has 1 to 256 characters.")
    options = item.options
    for name in ("task_id", "queue", "concurrency_key", "idempotency_key", "version", "metadata"):
        _check_text(name, item.task_id if name == "task_id" else getattr(options, name))
    _check_tags(options.tags)
    _check_numbers(options)
    _check_metadata(options.metadata)
    if options.machine is not None and options.machine not in MACHINES:
        raise InvalidOption("machine", f"machine is one of {', '.join(MACHINES)}.")
    if options.version is not None and len(options.version) > 64:
        raise InvalidOption("version", "A version has at most 64 characters.")
    if isinstance(options.delay, datetime) and options.delay.tzinfo is None:
        raise InvalidOption("delay", "A delay given as a moment needs a time zone.")
    _check_delay(options.delay)


def _check_text(name: str, text: str | None) -> None:
    """Text the databases can store: no NUL, no half of a surrogate pair, bounded."""
    if text is None:
        return
    if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise InvalidOption(name, f"{name} contains a character that cannot be stored.")
    if name in {"concurrency_key", "idempotency_key"} and len(text) > 9000:
        raise InvalidOption(name, f"{name} has at most 9,000 characters.")


def _check_tags(tags: tuple[str, ...] | None) -> None:
    if tags is None:
        return
    if len(set(tags)) > MAX_TAGS:
        raise InvalidOption("tags", f"A run has at most {MAX_TAGS} tags; got {len(set(tags))}.")
    for tag in tags:
        _check_text("tags", tag)
        if not 1 <= len(tag) <= 128:
            raise InvalidOption("tags", "A tag has 1 to 128 characters.")


RANGES = {
    "priority": (-2_147_483.0, 2_147_483.0),
    "ttl": (0.0, FAR_FUTURE),
    "idempotency_ttl": (0.0, FAR_FUTURE),
    "max_duration": (0.0, FAR_FUTURE),
    "max_attempts": (-(2**31), 250.0),
}


def _check_numbers(options: TriggerOptions) -> None:
    for name, (low, high) in RANGES.items():
        value = getattr(options, name)
        if value is not None and not low <= value <= high:
            raise InvalidOption(name, f"{name} must be between {low:g} and {high:g}.")


def _check_metadata(metadata: str | None) -> None:
    if metadata is None:
        return
    try:
        payloads.clean(metadata, limit=conf.get("METADATA_LIMIT"))
    except InvalidPayload as error:
        raise InvalidOption("metadata", f"metadata: {error}") from error
    if not metadata.lstrip().startswith("{"):
        raise InvalidOption("metadata", "metadata must be a JSON object.")


def _check_delay(delay: float | datetime | None) -> None:
    latest = datetime(9000, 1, 1, tzinfo=UTC)
    if isinstance(delay, datetime) and delay.tzinfo is not None and delay > latest:
        raise InvalidOption("delay", "delay is too far in the future.")
    if isinstance(delay, (int, float)) and not 0 <= delay <= FAR_FUTURE:
        raise InvalidOption("delay", "delay must be between 0 seconds and 100 years.")


def with_options(options: TriggerOptions, **changes: Any) -> TriggerOptions:
    """A copy with some options set."""
    return replace(options, **changes)
