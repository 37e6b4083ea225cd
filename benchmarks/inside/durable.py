"""Runs that remember and wait, queued in one call."""

import json
from typing import Any

from runs import lifecycle
from runs.lifecycle import TriggerItem
from runs.models import Source


def load(measure: str, runs: int, **facts: Any) -> int:
    """`runs` runs of one of the durable tasks; `facts` are their payload."""
    item = TriggerItem(task_id=f"bench-{measure}", payload=json.dumps(facts))
    return len(lifecycle.trigger_many([item] * runs, source=Source.SDK))
