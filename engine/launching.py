"""The runtime over `runs.lifecycle`: launches from code become stored runs."""

from collections.abc import Sequence
from typing import Any

from engine.runtime import Changes, Launch, Launched
from engine.scheduling import StoredSchedules
from runs import conf, lifecycle
from runs.errors import PayloadTooLarge
from runs.lifecycle import Triggered, TriggerItem, TriggerOptions
from runs.models import Source


class StoredRuns:
    """Makes runs in the database, in the caller's transaction if there is one (DEC-14)."""

    schedules = StoredSchedules()

    def trigger(self, launch: Launch) -> Launched:
        return self.trigger_many([launch])[0]

    def trigger_many(self, launches: Sequence[Launch]) -> list[Launched]:
        """Launches of one batch are of one task, so all or none of them are validated."""
        items = [item_of(launch) for launch in launches]
        validated = all(launch.validated for launch in launches)
        made = lifecycle.trigger_many(items, source=Source.SDK, validated=validated)
        return [launched(run) for run in made]

    def update_metadata(self, run_id: str, changes: Changes) -> dict[str, Any]:
        return lifecycle.update_metadata(
            run_id, changes.own, parent=changes.parent, root=changes.root
        )

    def add_tags(self, run_id: str, tags: Sequence[str]) -> None:
        lifecycle.add_tags(run_id, tags)


def item_of(launch: Launch) -> TriggerItem:
    limit = conf.get("PAYLOAD_LIMIT")
    if launch.payload is not None and len(launch.payload) > limit:
        size = len(launch.payload)
        raise PayloadTooLarge(f"The payload has {size:,} bytes; the limit is {limit:,}.")
    return TriggerItem(
        task_id=launch.task_id, payload=launch.payload, options=TriggerOptions(**launch.options)
    )


def launched(run: Triggered) -> Launched:
    return Launched(run.run_id, run.is_cached)
