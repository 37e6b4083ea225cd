"""What a bulk action does to one run, beside canceling, which goes by many at once."""

from collections.abc import Callable
from dataclasses import replace

from runs import payloads
from runs.errors import InvalidOption, InvalidPayload, NotFound
from runs.lifecycle import keys
from runs.lifecycle.annotating import add_tags
from runs.lifecycle.bulkoptions import BulkOptions
from runs.lifecycle.editing import Edit, edit
from runs.lifecycle.options import TriggerOptions
from runs.lifecycle.replaying import KEEP, Keep, replay
from runs.lifecycle.requests import once
from runs.mergepatch import patched
from runs.models import BulkAction, BulkKind, Run

#: Does it to one run; the id of the run it touched or made.
Verb = Callable[[BulkAction, BulkOptions, str], str]


def _replayed(row: BulkAction, options: BulkOptions, run_id: str) -> str:
    payload: str | Keep | None = KEEP
    asked = TriggerOptions(version=options.version or None)
    if options.patch or options.tags:
        origin = Run.objects.only("payload", "tags").filter(pk=run_id).first()
        if origin is not None and options.patch:
            payload = patched_payload(origin.payload, options.patch)
        if origin is not None and options.tags:
            asked = replace(asked, tags=tuple(sorted({*origin.tag_list, *options.tags})))
    made = once(
        run_id, row.pk, lambda: replay(run_id, actor=row.actor, payload=payload, options=asked)
    )
    return made.run_id


def patched_payload(payload: str | None, patch: str) -> str:
    """Raises InvalidPayload."""
    try:
        return payloads.clean(patched("null" if payload is None else payload, patch))
    except ValueError as error:
        raise InvalidPayload(f"The patch does not fit its payload: {error}") from error


def _tagged(row: BulkAction, options: BulkOptions, run_id: str) -> str:
    add_tags(run_id, options.tags, actor=row.actor)
    return run_id


def _moved(row: BulkAction, options: BulkOptions, run_id: str) -> str:
    assert options.priority is not None  # `BulkOptions.check` saw to it
    edit(run_id, Edit(priority=options.priority), actor=row.actor, reason=reason_of(row))
    return run_id


def _freed(row: BulkAction, options: BulkOptions, run_id: str) -> str:
    run = Run.objects.only("task_id", "idempotency_key").filter(pk=run_id).first()
    if run is None:
        raise NotFound("There is no such run.")
    key = run.idempotency_key
    if key is None or not keys.reset(run.task_id, key, actor=row.actor):
        raise InvalidOption("idempotency_key", "It has no idempotency key that still holds.")
    return run_id


VERBS: dict[BulkKind, Verb] = {
    BulkKind.REPLAY: _replayed,
    BulkKind.TAG: _tagged,
    BulkKind.PRIORITY: _moved,
    BulkKind.KEY: _freed,
}


def reason_of(row: BulkAction) -> str:
    """What the runs it touched say."""
    by = f"By the bulk action {row.pk}."
    return f"{by} {row.reason}" if row.reason else by
