"""The statuses of runs and attempts, and every legal move between them, as data."""

from django.db.models import TextChoices


class RunStatus(TextChoices):
    """Where a run stands. The words are the reference's API words (features.md ST rows)."""

    #: No living cluster knows the task, or its file failed to import.
    PENDING_VERSION = "PENDING_VERSION", "Pending version"
    #: Its delay has not elapsed.
    DELAYED = "DELAYED", "Delayed"
    #: In its queue, waiting for a slot (also between two attempts).
    QUEUED = "QUEUED", "Queued"
    #: Holds a slot; a worker is about to start it.
    DEQUEUED = "DEQUEUED", "Dequeued"
    #: The body is running.
    EXECUTING = "EXECUTING", "Executing"
    #: Suspended at a wait; holds no slot and no process.
    WAITING = "WAITING", "Waiting"
    #: The body returned; its output is stored.
    COMPLETED = "COMPLETED", "Completed"
    #: Stopped by a person, an API call or a parent.
    CANCELED = "CANCELED", "Canceled"
    #: The body raised and no attempt is left.
    FAILED = "FAILED", "Failed"
    #: The process died because of the task's own code.
    CRASHED = "CRASHED", "Crashed"
    #: Trackside's or the configuration's fault, not the task's.
    SYSTEM_FAILURE = "SYSTEM_FAILURE", "System failure"
    #: Its time to live passed before the first start.
    EXPIRED = "EXPIRED", "Expired"
    #: It executed longer than its max_duration.
    TIMED_OUT = "TIMED_OUT", "Timed out"


class AttemptStatus(TextChoices):
    """How one execution of the body stands or ended."""

    EXECUTING = "EXECUTING", "Executing"
    COMPLETED = "COMPLETED", "Completed"
    FAILED = "FAILED", "Failed"
    CRASHED = "CRASHED", "Crashed"
    TIMED_OUT = "TIMED_OUT", "Timed out"
    CANCELED = "CANCELED", "Canceled"
    #: Handed back unfinished when its cluster stopped; does not count as a try.
    RELEASED = "RELEASED", "Released"
    #: Between two of its segments; never stored.
    WAITING = "WAITING", "Waiting"


class EntryKind(TextChoices):
    """What a body did that its run's journal remembers."""

    STEP = "step", "Step"
    #: A wait for a time.
    WAIT = "wait", "Wait"
    #: A run it triggered to wait for.
    CHILD = "child", "Child"
    #: A wait for a run or a token that was there before.
    FOR = "for", "Wait for"
    #: The one of several that was first.
    FIRST = "first", "First of several"
    #: A wait token it made.
    TOKEN = "token", "Wait token"
    #: Something a person should see: the replay differs from what was recorded.
    WARNING = "warning", "Warning"


class EntryStatus(TextChoices):
    """How an entry of the journal stands."""

    #: What it waits for says how it stands.
    PENDING = "PENDING", "Pending"
    DONE = "DONE", "Done"
    #: Remembered within its attempt only.
    FAILED = "FAILED", "Failed"


class TokenStatus(TextChoices):
    """Where a wait token stands."""

    WAITING = "WAITING", "Waiting"
    COMPLETED = "COMPLETED", "Completed"
    TIMED_OUT = "TIMED_OUT", "Timed out"
    #: Somebody said that what it stands for went wrong.
    FAILED = "FAILED", "Failed"


S = RunStatus

FINAL = frozenset(
    {
        S.COMPLETED,
        S.CANCELED,
        S.FAILED,
        S.CRASHED,
        S.SYSTEM_FAILURE,
        S.EXPIRED,
        S.TIMED_OUT,
    }
)
#: Everything else.
OPEN = frozenset(RunStatus) - FINAL
#: Ended without success; frees the idempotency key (features.md ID-9), unlike CANCELED.
UNSUCCESSFUL = frozenset({S.FAILED, S.CRASHED, S.SYSTEM_FAILURE, S.EXPIRED, S.TIMED_OUT})
#: Holds a slot, so it counts against limits and has a lease.
LEASED = frozenset({S.DEQUEUED, S.EXECUTING})
#: Not started and not waiting: cancel is final at once.
#: Of runs that came to a wait: nobody executes them.
TO_COME = frozenset({S.WAITING, S.QUEUED, S.DEQUEUED})

PENDING = frozenset({S.PENDING_VERSION, S.DELAYED, S.QUEUED})

#: Every legal move; `runs.lifecycle` makes no other. A final status has no way out.
TRANSITIONS: dict[RunStatus, frozenset[RunStatus]] = {
    S.PENDING_VERSION: frozenset({S.QUEUED, S.DELAYED, S.CANCELED, S.EXPIRED}),
    S.DELAYED: frozenset({S.QUEUED, S.PENDING_VERSION, S.CANCELED}),
    S.QUEUED: frozenset(
        {S.DELAYED, S.DEQUEUED, S.EXECUTING, S.PENDING_VERSION, S.EXPIRED, S.CANCELED}
    ),
    S.DEQUEUED: frozenset(
        {S.EXECUTING, S.QUEUED, S.PENDING_VERSION, S.CANCELED, S.CRASHED, S.SYSTEM_FAILURE}
    ),
    S.EXECUTING: frozenset(
        {
            S.QUEUED,
            S.PENDING_VERSION,
            S.WAITING,
            S.COMPLETED,
            S.FAILED,
            S.CRASHED,
            S.SYSTEM_FAILURE,
            S.TIMED_OUT,
            S.CANCELED,
        }
    ),
    S.WAITING: frozenset({S.QUEUED, S.CANCELED, S.SYSTEM_FAILURE}),
    **{status: frozenset() for status in FINAL},
}


def sources(to: RunStatus) -> frozenset[RunStatus]:
    """The statuses a run may move to `to` from."""
    return frozenset(status for status, targets in TRANSITIONS.items() if to in targets)
