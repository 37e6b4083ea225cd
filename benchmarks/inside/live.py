"""Runs somebody watches, and changes of them that tell when they were made."""

import time
from typing import Any

from runs import lifecycle
from runs.lifecycle import TriggerItem, TriggerOptions, apikeys
from runs.models import Source

CROWD = "crowd"


def seed(count: int) -> dict[str, Any]:
    """A key, and as many runs, the first of them with a tag."""
    key = apikeys.create("subscribers", actor="cli:benchmark")[1]
    tagged = TriggerOptions(tags=(CROWD,))
    items = [TriggerItem(task_id="bench-noop", options=tagged)]
    items += [TriggerItem(task_id="bench-noop")] * (count - 1)
    made = lifecycle.trigger_many(items, source=Source.SDK)
    return {"key": key, "ids": [one.run_id for one in made]}


def change(ids: list[str], pause: float) -> int:
    """Change these runs, one after the other; what is changed is the time of the change."""
    for run_id in ids:
        operation = {"type": "set", "key": "at", "value": time.time()}
        lifecycle.update_metadata(run_id, [operation])
        time.sleep(pause)
    return len(ids)
