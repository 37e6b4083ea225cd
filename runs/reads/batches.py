"""Batches and where their runs stand."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max
from django.utils import timezone

from runs.errors import NotFound
from runs.models import Batch, Run
from runs.states import FINAL, RunStatus

#: Words of the reference: items are still to come; open runs; all of them ended, however.
PENDING, PROCESSING, COMPLETED = "PENDING", "PROCESSING", "COMPLETED"
#: Of some items no run could be made; of none, or the items never all came.
PARTIAL_FAILED, ABORTED = "PARTIAL_FAILED", "ABORTED"
#: Found runs looked up in one statement.
CHUNK = 500
#: Runs read at once with their outputs, each of which may have megabytes.
SOME = 5


@dataclass(frozen=True, slots=True)
class Progress:
    """How many runs of a batch stand where. Runs that retention removed are in none."""

    counts: dict[str, int]
    changed_at: datetime | None
    #: Items no run could be made of.
    refused: int = 0
    #: Its items are still to come.
    is_pending: bool = False
    #: They came too late, or none of them could become a run.
    is_aborted: bool = False

    @property
    def ended(self) -> int:
        return sum(count for status, count in self.counts.items() if status in FINAL)

    @property
    def succeeded(self) -> int:
        return self.counts.get(RunStatus.COMPLETED, 0)

    @property
    def failed(self) -> int:
        return self.ended - self.succeeded

    @property
    def open(self) -> int:
        return sum(self.counts.values()) - self.ended

    @property
    def status(self) -> str:
        if self.is_pending or self.is_aborted:
            return PENDING if self.is_pending else ABORTED
        if self.open:
            return PROCESSING
        return PARTIAL_FAILED if self.refused else COMPLETED


def find(batch_id: str) -> Batch:
    """Raises NotFound."""
    batch = Batch.objects.filter(pk=batch_id.replace("\x00", "")).first()
    if batch is None:
        raise NotFound(f"There is no batch {batch_id[:60]}.")
    return batch


def progress(batches: Sequence[Batch]) -> dict[str, Progress]:
    """Where the runs of each batch stand, in two reads for all of them."""
    counts: dict[str, Counter[str]] = {batch.pk: Counter() for batch in batches}
    changed: dict[str, datetime] = {}
    rows = Run.objects.filter(batch_id__in=counts).values("batch_id", "status")
    for row in rows.annotate(count=Count("id"), changed=Max("updated_at")).order_by():
        batch_id = str(row["batch_id"])
        counts[batch_id][row["status"]] += row["count"]
        changed[batch_id] = max(changed.get(batch_id, row["changed"]), row["changed"])
    found = _statuses([run_id for batch in batches for _, run_id in batch.found_runs])
    for batch in batches:
        # a key twice in one batch finds a run of the batch itself
        others = {run_id for _, run_id in batch.found_runs}
        counts[batch.pk].update(
            found[run_id][0]
            for run_id in others
            if run_id in found and found[run_id][1] != batch.pk
        )
    return {one.pk: _standing(one, dict(counts[one.pk]), changed.get(one.pk)) for one in batches}


def _standing(batch: Batch, counts: dict[str, int], changed_at: datetime | None) -> Progress:
    refused = len(batch.problem_list)
    is_late = batch.seals_by is not None and batch.seals_by <= timezone.now()
    return Progress(
        counts,
        changed_at,
        refused=refused,
        is_pending=batch.seals_by is not None and not is_late,
        is_aborted=is_late or 0 < batch.run_count == refused,
    )


def run_ids(batch: Batch, most: int | None = None) -> list[str]:
    """The runs in the order they were asked for, those that are still there; the first `most`."""
    return [run_id for _, run_id in places(batch, most)]


def places(batch: Batch, most: int | None = None) -> list[tuple[int, str]]:
    """The same with the index of the item each run answers."""
    own = Run.objects.filter(batch_id=batch.pk).order_by("id").values_list("id", flat=True)
    placed = batch.placed_runs
    if placed or batch.problem_list:
        there = set(own)
        return sorted([one for one in placed if one[1] in there] + batch.found_runs)[:most]
    ids = list(own[:most])
    for index, run_id in batch.found_runs:
        ids.insert(index, run_id)
    return list(enumerate(ids[:most]))


def ended(ids: Sequence[str]) -> Iterator[Run]:
    """Those of these runs that have ended, in their order; few of them are in memory at a time."""
    for start in range(0, len(ids), SOME):
        some = ids[start : start + SOME]
        over = Run.objects.filter(finished_at__isnull=False).defer("payload", "seed_metadata")
        found = over.in_bulk(some)
        yield from (found[one] for one in some if one in found)


def described(batch: Batch) -> dict[str, Any]:
    """A batch as plain values."""
    standing = progress([batch])[batch.pk]
    return {
        "id": batch.pk,
        "status": standing.status,
        "run_count": batch.run_count,
        "runs": run_ids(batch),
        "successful_run_count": standing.succeeded,
        "failed_run_count": standing.failed,
        "idempotency_key": batch.idempotency_key,
        "created_at": batch.created_at,
        "updated_at": max(standing.changed_at or batch.created_at, batch.created_at),
    }


def _statuses(ids: Sequence[str]) -> dict[str, tuple[str, str | None]]:
    """Status and batch of runs."""
    found: dict[str, tuple[str, str | None]] = {}
    for start in range(0, len(ids), CHUNK):
        runs = Run.objects.filter(pk__in=ids[start : start + CHUNK])
        found |= {one[0]: (one[1], one[2]) for one in runs.values_list("id", "status", "batch_id")}
    return found
