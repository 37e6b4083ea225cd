"""From a stored run to what the executor takes, and from its outcome to what is stored."""

import json
from typing import Any, NamedTuple

from engine.cluster.slots import Seat
from engine.cluster.trust import number_of
from engine.execution import outcomes
from engine.execution.assignment import Assignment
from engine.sdk.machines import PRESETS
from runs.journal import Pause
from runs.lifecycle import attempts, store


class Leaving(NamedTuple):
    """A run that leaves its worker for a wait, in the place of an ending."""

    run_id: str
    token: str
    pause: Pause


def measure(seat: Seat, work: store.Assignment) -> None:
    """Note what the sentinel holds a run to."""
    seat.memory, seat.queue = memory_of(work.machine), number_of(work.queue)


def memory_of(machine: str) -> int:
    """Bytes a run on this preset may use; 0 (no limit) for a name that is no preset."""
    return int(PRESETS[machine].memory * 1024**3) if machine in PRESETS else 0


def assignment_of(work: store.Assignment) -> Assignment:
    """The stored run as the executor takes it."""
    facts: tuple[Any, ...] = work[: len(Assignment._fields)]
    run_id, task_id, token, attempt, payload, tags, *others = facts
    names = () if tags == "[]" else tuple(json.loads(tags))
    return Assignment(run_id, task_id, token, attempt, payload, names, *others)


def ending_of(  # noqa: PLR0911  one branch for each outcome
    work: store.Assignment, outcome: outcomes.Outcome
) -> store.Ending | Leaving:
    """What an outcome means for the run."""
    run, token = work.run_id, work.token
    match outcome:
        case outcomes.Succeeded(output=output):
            return attempts.complete(run, token, output)
        case outcomes.Failed(retry_delay=None):
            hooked = outcome.hooked
            return attempts.fail(run, token, outcome.error, outcome.final_status, hooked=hooked)
        case outcomes.Failed(error=error, retry_delay=float(delay), machine=machine):
            return attempts.retry(run, token, error, delay, machine=machine)
        case outcomes.Canceled(error=error, hooked=hooked):
            return attempts.acknowledge_cancel(run, token, error, hooked=hooked)
        case outcomes.Suspended(pause=pause):
            return Leaving(run, token, pause)
        case outcomes.Missing(reason=reason):
            return attempts.park(run, token, reason)
        case outcomes.Interrupted(reason=reason):
            return attempts.release(run, token, reason)
        case _:
            raise TypeError(f"No ending for {outcome!r}.")
