"""What is left when everything is over, and what should never have been needed."""

from collections.abc import Iterator

from runs.models import EventKind
from runs.states import FINAL
from tests.chaos.evidence import Evidence


def stuck(e: Evidence) -> Iterator[str]:
    """Nothing is open, holds a slot, stands in line or waits; no process and no connection is left."""
    for run_id, run in e.runs.items():
        if run["status"] not in FINAL:
            yield f"{run_id} of {run['task_id']} is {run['status']} for ever."
    for name, left in (("a slot", e.leases), ("a place", e.ready), ("a wait", e.waiters)):
        for run_id in left:
            yield f"{run_id} still has {name}."
    for pid in e.processes:
        yield f"Process {pid} outlived its cluster."
    if e.backends:
        yield f"{e.backends} connections to the database outlived their processes."


def mistakes(e: Evidence) -> Iterator[str]:
    """The net below the engine caught nothing, nobody deadlocked, no log tells of a mistake."""
    for event in e.events:
        if event["kind"] == EventKind.REPAIRED:
            yield f"{event['run_id']} had to be repaired: {event['reason']}"
    if e.deadlocks:
        yield f"The server broke {e.deadlocks} deadlocks."
    for line in e.mistakes:
        yield f"A log says: {line[:300]}"
    for line in e.log:
        if line["what"] == "driver-error":
            yield f"The driver itself failed: {line['error']}"


def damaged(e: Evidence) -> Iterator[str]:
    """The database finds nothing wrong with its files."""
    for problem in e.damage:
        yield f"The database is damaged: {problem}"
