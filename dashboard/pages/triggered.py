"""What is said about triggers: what an overlap policy does, and what became of one."""

import json

from runs.lifecycle import Triggered
from runs.models import Overlap, Task

#: What a trigger does while a run of the same task and key is open.
OVERLAPS = {
    Overlap.SKIP.value: "makes no run: the open one stands for it",
    Overlap.QUEUE_ONE.value: "makes one run that waits for its end; any more stand for none",
    Overlap.CANCEL_PREVIOUS.value: "stops it, and its own run starts once that has ended",
}


def overlap(task: Task) -> str:
    """What a trigger of the task does while a run is open; empty where runs may overlap."""
    return OVERLAPS.get(json.loads(task.config).get("overlap", ""), "")


def other_than_usual(made: Triggered) -> str:
    """What became of a trigger that made no run, or one that has to wait; empty for any other."""
    if made.is_skipped:
        return "No run was made: this one is still open, and its task lets it stand for a new one."
    if made.is_cached:
        return "This form was sent before; this is the run it made."
    return "The run waits until one before it has ended." if made.is_held else ""
