"""What the end of a worker process means for the runs it had."""

import pickle
import signal
from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum

from engine.cluster.board import Ask, Seat, State
from engine.cluster.channels import Channel
from runs.lifecycle import attempts, store
from runs.models import Run
from runs.states import RunStatus


class Guilt(IntEnum):
    #: Another run ended the process they shared.
    NONE = 0
    #: One of the runs did, nobody knows which.
    POSSIBLE = 1
    CERTAIN = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """A worker process that ended with runs on its slot."""

    #: The run it was on; empty for none.
    run_id: str
    token: str
    started: bool
    pid: int = 0
    #: When its body was entered, CLOCK_MONOTONIC nanoseconds; 0 when it was not.
    entered: int = 0
    #: What it had executed and not recorded.
    done: list[store.Done] = field(default_factory=list)
    #: Run id and token of what it had taken and not started.
    left: list[tuple[str, str]] = field(default_factory=list)
    #: The `Ask` the sentinel killed it for, 0 if it ended by itself.
    killed: int
    exitcode: int | None
    #: Of a process that many runs shared: whether it ended because of this run.
    guilt: Guilt = Guilt.CERTAIN
    #: Why it ended, where the rest does not say it.
    why: str = ""
    #: Of the code it had.
    version: str = ""

    @property
    def leases(self) -> set[tuple[str, str]]:
        """Run id and token of all of them."""
        done = {(one.run_id, one.token) for one in self.done}
        return {(self.run_id, self.token), *done, *self.left}


#: Deaths of which a bookkeeper that is killed may not have written down all.
LAST = 100


class Deaths(Channel):
    """What the sentinel tells the bookkeeper, who may be killed before it has written it down."""

    def __init__(self) -> None:
        super().__init__()
        self.told: deque[bytes] = deque(maxlen=LAST)

    def tell(self, death: Death) -> None:
        self.told.append(pickle.dumps(death))
        self.send(self.told[-1], patience=1.0)

    def tell_again(self) -> None:
        """For a new bookkeeper. Only once: one of these may be what ended the last."""
        for message in self.told:
            self.send(message, patience=1.0)
        self.told.clear()


#: It was on its way to a worker that had got the word to leave.
REPLACED = "Its worker was being replaced before it was started."


def of(slot: Seat, exitcode: int | None) -> Death:
    """The death of the process that had this slot."""
    run_id, token = slot.lease
    return Death(
        run_id=run_id,
        token=token,
        started=slot.state == State.RUNNING and bool(slot.is_begun or slot.entered),
        pid=slot.pid,
        entered=slot.entered,
        done=slot.done,
        left=slot.left,
        # It may have finished what it was killed for and taken the next run just before.
        killed=slot.killed if slot.asked_token == slot.token else slot.killed and Ask.SHUTDOWN,
        exitcode=exitcode,
        why=REPLACED if slot.state == State.ASSIGNED and exitcode == 0 else "",
        version=slot.version.decode(),
    )


def ending_of(death: Death) -> store.Ending:
    """What a death means for its run."""
    reason = describe(death)
    if not death.started:
        # The database knows better: the worker may have died right after its start was written.
        executing = Run.objects.filter(pk=death.run_id, status=RunStatus.EXECUTING).exists()
        return attempts.release(death.run_id, death.token, reason, started=executing)
    if death.killed == Ask.SHUTDOWN or death.guilt == Guilt.NONE:
        return attempts.release(death.run_id, death.token, reason)
    if death.killed == Ask.TIMEOUT:
        error = attempts.internal_error("MAX_DURATION_EXCEEDED", reason)
        return attempts.time_out(death.run_id, death.token, error)
    if death.killed == Ask.CANCEL:
        return attempts.acknowledge_cancel(death.run_id, death.token)._replace(reason=reason)
    end = attempts.outlive if death.guilt == Guilt.POSSIBLE else attempts.crash
    return end(death.run_id, death.token, code_of(death), reason)


#: Where a program passes on that its child was killed.
EXITED_KILLED = 128 + signal.SIGKILL
SIGNAL_CODES = {
    signal.SIGKILL: attempts.MAYBE_OUT_OF_MEMORY,
    signal.SIGTERM: "TASK_PROCESS_SIGTERM",
    signal.SIGSEGV: "TASK_PROCESS_SIGSEGV",
}


def code_of(death: Death) -> str:
    """The reference's error code for how a process ended (features.md 4.6)."""
    if death.killed == Ask.MEMORY:
        return "TASK_PROCESS_OOM_KILLED"
    if death.why:
        return "TASK_RUN_STALLED_EXECUTING"
    if death.exitcode is not None and death.exitcode < 0:
        return SIGNAL_CODES.get(signal.Signals(-death.exitcode), "TASK_RUN_CRASHED")
    if death.exitcode == EXITED_KILLED:
        return attempts.MAYBE_OUT_OF_MEMORY
    return "TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE"


KILLED = {
    Ask.SHUTDOWN: "Its worker was stopped before it was done; it was handed back.",
    Ask.TIMEOUT: "It executed longer than its max_duration and was killed.",
    Ask.CANCEL: "It did not stop by itself after the cancel and was killed.",
    Ask.MEMORY: "It used more memory than its machine has and was killed.",
}


def describe(death: Death) -> str:
    """One sentence on how the process ended."""
    if death.why:
        return death.why
    if death.killed:
        return KILLED[Ask(death.killed)]
    if death.exitcode is None:
        return "Its worker process was lost."
    if death.exitcode < 0:
        return f"Its process was ended by signal {signal.Signals(-death.exitcode).name}."
    return f"Its process exited with code {death.exitcode} without a result."
