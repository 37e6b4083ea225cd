"""Changing runs before they start: priority, queue, delay and payload (DEC-45)."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from runs import conf, payloads, signals
from runs.errors import IllegalTransition, InvalidOption, NotFound
from runs.keypaths import key_at
from runs.lifecycle import audit, checks, definitions, moving
from runs.lifecycle.options import TriggerItem, TriggerOptions
from runs.lifecycle.replaying import KEEP, Keep
from runs.lifecycle.rows import due_at
from runs.lifecycle.transition import move, note
from runs.models import NEVER, Bucket, EventKind, Ready, Run
from runs.states import PENDING, RunStatus

PARKED = RunStatus.PENDING_VERSION
STARTED = "it has been started once"
#: What the history tells of a change with its old and its new value.
TOLD = ("priority", "queue", "concurrency_key", "delay_until")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What is to be different; `KEEP` leaves it. `payload` is JSON text or None, as for a trigger.

    `delay` is seconds from now or an aware datetime; 0, None and what has passed mean at once.
    """

    priority: float | Keep = KEEP
    queue: str | Keep = KEEP
    delay: float | datetime | Keep | None = KEEP
    payload: str | Keep | None = KEEP

    @property
    def options(self) -> TriggerOptions:
        """As a trigger would ask for it."""
        given = {name: getattr(self, name) for name in ("priority", "queue", "delay")}
        return TriggerOptions(
            **{name: value for name, value in given.items() if not isinstance(value, Keep)}
        )


def edit(run_id: str, wanted: Edit, *, actor: str, reason: str = "") -> Run:
    """Change a run that was never started; it keeps its place among runs of the same priority.

    A delay given to a queued run puts it off, one taken away queues it. Raises NotFound, InvalidOption,
    UnknownQueue, InvalidPayload, and IllegalTransition for a run that has started or ended.
    """
    checks.text("reason", reason)
    while True:
        seen = _found(run_id)
        change = Change(seen, wanted)
        with transaction.atomic():
            run = _locked(run_id, change)
            if change.fits(run):
                change.write(run, actor, reason)
                return _found(run_id)


def _found(run_id: str) -> Run:
    run = Run.objects.filter(pk=run_id).first() if "\x00" not in run_id else None
    if run is None:
        raise NotFound(f"There is no run {run_id[:60]}.")
    return run


def _locked(run_id: str, change: "Change") -> Run:
    """The bucket it goes to, its ready row and the run, in the order in which claims lock them."""
    if change.queue_id is not None:
        change.bucket = moving.open_bucket(change.queue_id, change.key)
    change.is_ready = bool(Ready.objects.select_for_update().filter(pk=run_id))
    run = Run.objects.select_for_update().filter(pk=run_id).first()
    if run is None:
        raise NotFound(f"There is no run {run_id[:60]}.")
    if run.status not in PENDING or run.started_at is not None:
        why = "" if run.is_final or run.holds_slot else f": {STARTED}"
        raise IllegalTransition(run_id, run.status, f"edited{why}")
    return run


class Change:
    """What an edit makes of a run as it was seen."""

    def __init__(self, seen: Run, wanted: Edit) -> None:
        self.seen, self.wanted, self.now = seen, wanted, timezone.now()
        self.bucket: Bucket | None = None
        self.is_ready = False
        self._check(seen)
        self.key = self._key(seen)
        self.queue_id = self._queue_id(seen)

    def _check(self, seen: Run) -> None:
        """Everything a trigger would refuse."""
        if self.wanted == Edit():
            raise InvalidOption("priority", "Say what to edit: priority, queue, delay or payload.")
        payload = self.wanted.payload
        checks.item(TriggerItem(task_id=seen.task_id, options=self.wanted.options))
        if isinstance(payload, Keep):
            return
        if payload is not None:
            payloads.clean(payload, limit=conf.get("PAYLOAD_LIMIT"))
        if schema := definitions.task(seen.task_id).schema:
            payloads.check(schema, "null" if payload is None else payload)

    def _key(self, seen: Run) -> str | None:
        """The concurrency key follows the payload it was found in."""
        payload, path = self.wanted.payload, definitions.task(seen.task_id).key_path
        if (
            isinstance(payload, Keep)
            or not path
            or seen.concurrency_key != key_at(path, seen.payload)
        ):
            return seen.concurrency_key
        key = key_at(path, payload)
        if seen.overlap_lane is not None and key != seen.concurrency_key:
            raise InvalidOption(
                "payload",
                f"The payload would give the run another concurrency key ({key}), and its task has an "
                "overlap policy for each key. Cancel it and trigger it anew.",
            )
        return key

    def _queue_id(self, seen: Run) -> int | None:
        """Where it is to stand from now on; None where it stays, or stands nowhere yet."""
        queue = seen.queue if isinstance(self.wanted.queue, Keep) else self.wanted.queue
        if (queue, self.key) == (seen.queue, seen.concurrency_key):
            return None
        found = definitions.queue_id(queue, task_id=seen.task_id)
        return None if seen.status == PARKED else found

    def fits(self, run: Run) -> bool:
        """Whether the run, now locked, still stands where it was seen."""
        there = (run.queue, run.concurrency_key, run.status == PARKED)
        seen = self.seen
        return there == (seen.queue, seen.concurrency_key, seen.status == PARKED)

    def write(self, run: Run, actor: str, reason: str) -> None:
        """Store it. In the transaction that holds the locks."""
        columns = self._columns(run)
        Run.objects.filter(pk=run.pk).update(updated_at=self.now, **columns)
        if self.is_ready:
            self._place(run, columns)
        facts = _facts(run, columns)
        audit.record(actor, "run.edit", run.pk, reason=reason, **facts)
        self._tell(run, columns, actor, reason, json.dumps(facts, default=str))
        if run.status == RunStatus.DELAYED and columns.get("delay_until", self.now) is None:
            moving.queue(run, self.now, "Its delay was taken away.", RunStatus.DELAYED)
        transaction.on_commit(_announce)

    def _tell(self, run: Run, columns: dict[str, Any], actor: str, reason: str, data: str) -> None:
        """In its history; a queued run that is to wait is delayed from now on."""
        kind = EventKind.EDITED
        if run.status != RunStatus.QUEUED or columns.get("delay_until") is None:
            note(run.pk, kind, run.status, actor=actor, reason=reason, data=data)
            return
        move(
            run.pk,
            RunStatus.DELAYED,
            kind,
            actor=actor,
            reason=reason,
            data=data,
            queued_at=None,
            expires_at=None,
        )

    def _columns(self, run: Run) -> dict[str, Any]:
        wanted = self.wanted
        columns: dict[str, Any] = {"concurrency_key": self.key}
        for name in ("priority", "queue", "payload"):
            if not isinstance(value := getattr(wanted, name), Keep):
                columns[name] = value
        turn = run.sort_key + int(run.priority * 1_000_000)
        if not isinstance(wanted.delay, Keep):
            due = due_at(wanted.delay, self.now)
            columns["delay_until"] = due
            if due is not None or (run.delay_until or self.now) > self.now:
                turn = int((due or self.now).timestamp() * 1_000_000)
        columns["sort_key"] = turn - int(columns.get("priority", run.priority) * 1_000_000)
        return columns

    def _place(self, run: Run, columns: dict[str, Any]) -> None:
        row: dict[str, Any] = {"sort_key": columns["sort_key"]}
        if self.bucket is not None:
            row["bucket_id"] = self.bucket.pk
        Ready.objects.filter(pk=run.pk).update(**row)
        if "delay_until" in columns:  # one that is held by an overlap policy stays so
            free = Ready.objects.filter(pk=run.pk).exclude(not_before=NEVER)
            free.update(not_before=columns["delay_until"])


def _facts(run: Run, columns: dict[str, Any]) -> dict[str, Any]:
    """What differs, old and new; of a payload only that it does."""
    old = {name: getattr(run, name) for name in TOLD if name in columns}
    facts: dict[str, Any] = {
        name: [value, columns[name]] for name, value in old.items() if value != columns[name]
    }
    return facts | ({"payload": True} if "payload" in columns else {})


def _announce() -> None:
    signals.runs_ready.send(sender=Run)
