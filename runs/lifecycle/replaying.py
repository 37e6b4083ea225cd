"""Running a run again, as a new run."""

from dataclasses import replace
from typing import Any, Final

from django.db import transaction

from runs.errors import NotFound, UnknownQueue
from runs.lifecycle import audit, definitions
from runs.lifecycle.options import Triggered, TriggerOptions
from runs.lifecycle.transition import note
from runs.lifecycle.triggering import trigger
from runs.models import EventKind, Run, Source


class Keep:
    """Marks "the original's payload"."""


KEEP: Final = Keep()


def replay(
    run_id: str,
    *,
    actor: str,
    payload: str | Keep | None = KEEP,
    options: TriggerOptions | None = None,
) -> Triggered:
    """Make a new run from any run, in any status; the original is untouched (features.md RP rows).

    Carried over: payload, tags, the metadata it was triggered with, queue while it exists,
    concurrency key, machine, test flag. Everything else starts from the task's defaults or from
    `options`, whose fields win where they are not None. Raises NotFound and what `trigger` raises.
    """
    origin = Run.objects.filter(pk=run_id).first()
    if origin is None:
        raise NotFound(f"There is no run {run_id}.")
    text = origin.payload if isinstance(payload, Keep) else payload
    with transaction.atomic():
        made = trigger(
            origin.task_id,
            text,
            _options(origin, options or TriggerOptions()),
            source=Source.REPLAY,
            actor=actor,
        )
        if not made.is_cached:
            _link(origin, made.run_id, actor)
    return made


def _link(origin: Run, run_id: str, actor: str) -> None:
    Run.objects.filter(pk=run_id).update(replayed_from_id=origin.pk)
    note(
        origin.pk, EventKind.REPLAYED, origin.status, actor=actor, data=f'{{"run_id": "{run_id}"}}'
    )
    audit.record(actor, "run.replay", origin.pk, run_id=run_id)


def _options(origin: Run, asked: TriggerOptions) -> TriggerOptions:
    carried: dict[str, Any] = {
        "queue": _queue_if_known(origin.queue),
        "concurrency_key": origin.concurrency_key,
        "tags": tuple(origin.tag_list),
        "metadata": origin.seed_metadata,
        "machine": origin.machine,
    }
    missing = {name: value for name, value in carried.items() if getattr(asked, name) is None}
    return replace(asked, **missing, is_test=asked.is_test or origin.is_test)


def _queue_if_known(name: str) -> str | None:
    try:
        definitions.queue_id(name)
    except UnknownQueue:
        return None
    return name
