"""Batches in two steps: opened with a number of items, which then come in a stream (features.md BA-2).

Each item becomes a run when it comes. One no run can be made of is kept as a problem of the batch; the
others are made. A stream that broke off is sent again as a whole: items that were there already are known
by their index. When all have come the batch is sealed; where they do not come in time it is aborted.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from runs import conf
from runs.errors import (
    InvalidOption,
    InvalidPayload,
    NotFound,
    PayloadTooLarge,
    QueueFull,
    RunsError,
    UnknownQueue,
)
from runs.ids import new_id
from runs.lifecycle import batches
from runs.lifecycle.keys import hashed
from runs.lifecycle.options import IDEMPOTENCY_TTL, Triggered, TriggerItem
from runs.lifecycle.planning import Planner
from runs.lifecycle.requests import REMEMBERED
from runs.lifecycle.rows import Maker
from runs.lifecycle.triggering import trigger_many
from runs.models import Batch, Run, Source
from runs.models.batch import Problem

#: Items of one batch.
MOST_ITEMS = 1000
#: What programs are told of a refused item; the first class that fits.
CODES: list[tuple[type[RunsError], str]] = [
    (PayloadTooLarge, "PAYLOAD_TOO_LARGE"),
    (InvalidPayload, "INVALID_PAYLOAD"),
    (UnknownQueue, "UNKNOWN_QUEUE"),
    (QueueFull, "QUEUE_SIZE_LIMIT_EXCEEDED"),
]
ANY_CODE = "BATCH_ITEM_COULD_NOT_TRIGGER"
Member = tuple[int, TriggerItem]
Made = list[tuple[int, Triggered]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A batch that is to be opened. `request_key` is the same when a client repeats its request."""

    count: int
    tasks: Sequence[str] = ()
    key: str | None = None
    key_ttl: float = IDEMPOTENCY_TTL
    request_key: str = ""
    parent_id: str | None = None


@dataclass(frozen=True, slots=True)
class Offered:
    """An item as it came; without `item` it cannot become a run, and `problem` says why."""

    index: int
    task_id: str
    item: TriggerItem | None = None
    problem: str = ""
    code: str = ANY_CODE


@dataclass(frozen=True, slots=True)
class Added:
    """What became of items, and how many of all have come."""

    accepted: int
    deduplicated: int
    is_sealed: bool
    arrived: int
    expected: int


def open_batch(asked: Asked, *, source: Source, actor: str = "") -> tuple[Batch, bool]:
    """The batch that answers, and whether it is an earlier one that needs no items any more.

    One that a key finds while its items are still to come takes them from whoever asks now.
    """
    if not 1 <= asked.count <= MOST_ITEMS:
        raise InvalidOption(
            "runCount", f"runCount: a batch has 1 to {MOST_ITEMS:,} items, not {asked.count:,}."
        )
    if asked.parent_id is not None and not Run.objects.filter(pk=asked.parent_id).exists():
        raise InvalidOption("parentRunId", f"There is no run {asked.parent_id!r:.60}.")
    now = timezone.now()
    row = Batch(
        id=new_id("batch"),
        run_count=asked.count,
        tasks=_listed(asked.tasks),
        run_id=asked.parent_id,
        source=source,
        actor=actor,
        created_at=now,
        seals_by=now + timedelta(seconds=float(conf.get("BATCH_SEAL_SECONDS"))),
    )
    if asked.key is not None:
        batches.put_under(row, asked.key, asked.key_ttl)
    elif asked.request_key:
        row.key_hash = hashed(f"request\0{asked.request_key}")
        row.idempotency_expires_at = now + REMEMBERED
    with transaction.atomic():
        if batches.added(row):
            return row, False
        found = Batch.objects.get(key_hash=row.key_hash)
    return found, asked.key is not None and found.seals_by is None


def add(batch_id: str, offered: Sequence[Offered], *, source: Source, actor: str = "") -> Added:
    """Make runs of the items that are new; seal the batch when all are there.

    Raises NotFound, and InvalidOption for an index beyond its count or when it is too late.
    """
    with transaction.atomic():
        batch = Batch.objects.select_for_update().filter(pk=batch_id).first()
        if batch is None:
            raise NotFound(f"There is no batch {batch_id[:60]}.")
        if batch.seals_by is None:
            return Added(0, 0, True, batch.run_count, batch.run_count)
        _refuse_late(batch)
        known = _indexes(batch)
        new = {one.index: one for one in reversed(offered) if one.index not in known}
        _refuse_beyond(batch, new)
        _take(batch, [new[index] for index in sorted(new)], source, actor)
        arrived = len(known) + len(new)
        if arrived == batch.run_count:
            batch.seals_by = None
        batch.save(update_fields=["placed", "found", "problems", "tasks", "seals_by"])
    is_sealed = batch.seals_by is None
    return Added(len(new), len(offered) - len(new), is_sealed, arrived, batch.run_count)


def problem_of(index: int, task_id: str, error: RunsError) -> Offered:
    """An item that was refused before it was an item."""
    return Offered(index, task_id, problem=str(error), code=code_of(error))


def code_of(error: RunsError) -> str:
    return next((code for kind, code in CODES if isinstance(error, kind)), ANY_CODE)


def _listed(tasks: Iterable[str]) -> str:
    return json.dumps(sorted(set(tasks))[: batches.MOST_TASKS])


def _indexes(batch: Batch) -> set[int]:
    """The items that have come."""
    placed = [*batch.placed_runs, *batch.found_runs]
    return {index for index, _ in placed} | {one.place for one in batch.problem_list}


def _refuse_late(batch: Batch) -> None:
    if batch.seals_by is not None and batch.seals_by <= timezone.now():
        raise InvalidOption(
            "batch",
            f"Batch {batch.pk} was aborted: its items had not all come by "
            f"{batch.seals_by:%Y-%m-%d %H:%M} UTC (BATCH_SEAL_SECONDS). Make a new batch.",
        )


def _refuse_beyond(batch: Batch, indexes: Iterable[int]) -> None:
    wrong = [index for index in indexes if not 0 <= index < batch.run_count]
    if wrong:
        raise InvalidOption(
            "index",
            f"Item {min(wrong)}: batch {batch.pk} has {batch.run_count} items, whose indexes are 0 to "
            f"{batch.run_count - 1}.",
        )


def _take(batch: Batch, offered: Sequence[Offered], source: Source, actor: str) -> None:
    """Make what can be made, and write down in the batch what became of each."""
    members: list[Member] = []
    problems: list[Problem] = []
    for one in offered:
        if one.item is None:
            problems.append(Problem(one.index, one.task_id, one.problem, one.code))
        else:
            options = replace(one.item.options, batch_id=batch.pk)
            members.append((one.index, replace(one.item, options=options)))
    made, refused = _made(members, source, actor)
    own = [(index, run.run_id) for index, run in made if not run.is_cached]
    found = [(index, run.run_id) for index, run in made if run.is_cached]
    batch.placed = json.dumps(batch.placed_runs + own)
    batch.found = json.dumps(sorted(batch.found_runs + found))
    batch.problems = json.dumps([*batch.problem_list, *problems, *refused])
    batch.tasks = _listed([*batch.task_list, *(one.task_id for one in offered)])


def _made(members: Sequence[Member], source: Source, actor: str) -> tuple[Made, list[Problem]]:
    """Together where they can be; else one by one, so that one keeps no other from being made."""
    good, problems = _sorted_out(members, source, actor)
    if not good:
        return [], problems
    try:
        with transaction.atomic():
            runs = trigger_many(
                [item for _, item in good], source=source, actor=actor, validated=True
            )
        return [(index, run) for (index, _), run in zip(good, runs, strict=True)], problems
    except RunsError:
        pass
    made: Made = []
    for one in _one_by_one(good, source, actor):
        if isinstance(one, Problem):
            problems.append(one)
        else:
            made.append(one)
    return made, problems


def _sorted_out(
    members: Sequence[Member], source: Source, actor: str
) -> tuple[list[Member], list[Problem]]:
    """Those that can be planned, and what is wrong with the others."""
    planner = Planner(Maker(timezone.now(), source, actor), validated=False)
    good: list[Member] = []
    problems: list[Problem] = []
    for index, item in members:
        try:
            planner.plans([item])
            good.append((index, item))
        except RunsError as error:
            problems.append(Problem(index, item.task_id, str(error), code_of(error)))
    return good, problems


def _one_by_one(
    members: Sequence[Member], source: Source, actor: str
) -> Iterator[tuple[int, Triggered] | Problem]:
    for index, item in members:
        try:
            with transaction.atomic():
                (run,) = trigger_many([item], source=source, actor=actor, validated=True)
            yield index, run
        except RunsError as error:
            yield Problem(index, item.task_id, str(error), code_of(error))
