"""What may be noted on a run while it executes and shortly after: metadata and tags."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from runs import conf, metadata, payloads
from runs.errors import NotFound, PayloadTooLarge, RunClosed
from runs.lifecycle import audit, checks
from runs.metadata import Operation
from runs.models import Run, RunTag

#: How long after its end a run's metadata can still be changed (ME-12).
OPEN = timedelta(hours=1)


def update_metadata(
    run_id: str,
    operations: Sequence[Operation] = (),
    *,
    parent: Sequence[Operation] = (),
    root: Sequence[Operation] = (),
    actor: str = "",
) -> dict[str, Any]:
    """Apply operations to a run's metadata, and to that of its parent and root; what it is then.

    A run without a parent is its own (ME-8). Operations, not values, are what is applied, so those
    of parallel children add up. All or nothing. `actor` is who asks, if it is not the run itself.
    Raises NotFound, InvalidOption, RunClosed, PayloadTooLarge.
    """
    family = Run.objects.filter(pk=run_id).values("parent_id", "root_id").first()
    if family is None:
        raise NotFound(f"There is no run {run_id}.")
    wanted: dict[str, list[Operation]] = {run_id: list(operations)}
    for target, more in ((family["parent_id"], parent), (family["root_id"], root)):
        if more:
            wanted.setdefault(target or run_id, []).extend(more)
    with transaction.atomic():  # always in one order, so that no two wait for each other
        found = {target: _change(target, wanted[target]) for target in sorted(wanted)}
        if actor:
            audit.record(actor, "run.metadata", run_id, runs=sorted(wanted))
    return found[run_id]


def _change(run_id: str, operations: Sequence[Operation]) -> dict[str, Any]:
    run = (
        Run.objects.only("metadata", "finished_at", "updated_at").select_for_update().get(pk=run_id)
    )
    before: dict[str, Any] = json.loads(run.metadata or "{}")
    if not operations:
        return before
    now = timezone.now()
    if run.finished_at is not None and now - run.finished_at > OPEN:
        raise RunClosed
    changed = metadata.apply(before, operations)
    text, limit = payloads.dumps(changed), int(conf.get("METADATA_LIMIT"))
    if len(text) > limit:
        raise PayloadTooLarge(
            f"The metadata would have {len(text):,} bytes; the limit is {limit:,}."
        )
    if changed != before:
        Run.objects.filter(pk=run_id).update(metadata=text, updated_at=now)
    return changed


def add_tags(run_id: str, tags: Sequence[str], *, actor: str = "") -> list[str]:
    """Add tags to a run, all or none; the tags it has then, sorted. Raises NotFound, InvalidOption.

    `actor` is who asks, if it is not the run itself.
    """
    with transaction.atomic():
        run = Run.objects.only("tags").select_for_update().filter(pk=run_id).first()
        if run is None:
            raise NotFound(f"There is no run {run_id}.")
        before = set(run.tag_list)
        checks.tags(tuple(before | set(tags)))
        if added := set(tags) - before:
            RunTag.objects.bulk_create([RunTag(run_id=run_id, tag=tag) for tag in sorted(added)])
            text = json.dumps(sorted(before | added))
            Run.objects.filter(pk=run_id).update(tags=text, updated_at=timezone.now())
            if actor:
                audit.record(actor, "run.tags", run_id, added=sorted(added))
        return sorted(before | added)
