"""The run desk over `runs.lifecycle`: what code asks of runs that are there."""

from collections.abc import Mapping
from typing import Any

from engine.runtime import Launched
from engine.sdk.blocking import blocking
from runs import lifecycle
from runs.lifecycle import Edit, Selection, TriggerOptions, keys
from runs.models import Run


class StoredDesk:
    """Runs in the database, in the caller's transaction if there is one."""

    @blocking()
    def cancel(self, run_id: str, reason: str, keep_children: bool, actor: str) -> None:
        lifecycle.cancel(run_id, actor=actor, reason=reason, keep_children=keep_children)

    @blocking()
    def edit(self, run_id: str, changes: Mapping[str, Any], reason: str, actor: str) -> None:
        lifecycle.edit(run_id, Edit(**changes), actor=actor, reason=reason)

    @blocking()
    def purge(self, selection: Mapping[str, Any], reason: str, actor: str) -> int:
        chosen = Selection(**selection)
        return lifecycle.purge(chosen.runs(), actor=actor, reason=reason, asked=chosen.facts)

    @blocking()
    def replay(self, run_id: str, changes: Mapping[str, Any], actor: str) -> tuple[str, Launched]:
        options = dict(changes)
        payload = options.pop("payload", lifecycle.KEEP)
        made = lifecycle.replay(
            run_id, actor=actor, payload=payload, options=TriggerOptions(**options)
        )
        task_id = Run.objects.values_list("task_id", flat=True).get(pk=made.run_id)
        return task_id, Launched(made.run_id, made.is_cached, made.is_skipped, made.is_held)

    @blocking()
    def reset_key(self, task_id: str, key: str, actor: str) -> bool:
        return keys.reset(task_id, key, actor=actor)
