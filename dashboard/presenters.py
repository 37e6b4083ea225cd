"""How a status looks and reads, and what may be done in it. No template knows a status by name."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from runs.models import Attempt, ErrorGroup, GroupStatus, Run, Waitpoint
from runs.reads.batches import Progress
from runs.states import PENDING, AttemptStatus, RunStatus, TokenStatus

S = RunStatus


@dataclass(frozen=True, slots=True)
class Look:
    """A status on screen: word, glyph of the sprite, tone of the palette, one sentence of help."""

    word: str
    glyph: str
    tone: str
    help: str


LOOKS: dict[str, Look] = {
    S.PENDING_VERSION: Look(
        "Pending version", "pending-version", "warn", "No connected worker can run this task yet."
    ),
    S.DELAYED: Look("Delayed", "delayed", "idle", "Waits for the time it was asked to start at."),
    S.QUEUED: Look("Queued", "queued", "idle", "Stands in its queue until a slot is free."),
    S.DEQUEUED: Look("Dequeued", "dequeued", "active", "Has a slot; a worker is about to start."),
    S.EXECUTING: Look("Executing", "executing", "active", "The task's code is running."),
    S.WAITING: Look("Waiting", "waiting", "parked", "Suspended at a wait; uses no slot."),
    S.COMPLETED: Look("Completed", "completed", "ok", "The code returned; its output is stored."),
    S.FAILED: Look("Failed", "failed", "bad", "The code raised an error and no attempt is left."),
    S.TIMED_OUT: Look("Timed out", "timed-out", "bad", "Ran longer than its maximum duration."),
    S.CRASHED: Look("Crashed", "crashed", "bad", "The task's own code ended its process."),
    S.SYSTEM_FAILURE: Look(
        "System failure", "system-failure", "bad", "The fault of the installation, not the task."
    ),
    S.CANCELED: Look(
        "Canceled", "canceled", "idle", "Stopped by a person, a call or a parent run."
    ),
    S.EXPIRED: Look("Expired", "expired", "idle", "Its time to live passed before it could start."),
}
TOKEN_LOOKS: dict[str, Look] = {
    TokenStatus.WAITING: Look("Waiting", "waiting", "parked", "Nobody has completed it yet."),
    TokenStatus.COMPLETED: Look("Completed", "completed", "ok", "Its answer is stored."),
    TokenStatus.TIMED_OUT: Look("Timed out", "timed-out", "bad", "Nobody completed it in time."),
    TokenStatus.FAILED: Look("Failed", "failed", "bad", "Somebody ended it with an error."),
}
BATCH_PENDING = Look("Pending", "queued", "idle", "Its items have not all come yet.")
BATCH_PARTIAL = Look("Partial", "failed", "warn", "Of some of its items no run could be made.")
BATCH_ABORTED = Look(
    "Aborted", "failed", "bad", "No run could be made, or its items never all came."
)
BATCH_OPEN = Look("Processing", "executing", "active", "Some of its runs have not ended.")
BATCH_ENDED = Look("Completed", "completed", "ok", "All of its runs completed.")
BATCH_MIXED = Look("Completed", "expired", "warn", "All of its runs ended, not all of them well.")
RESUMING = Look("Resuming", "queued", "idle", "Its wait is over; it goes on once a slot is free.")
CANCELING = Look("Canceling", "canceling", "idle", "Asked to stop; the code is still running.")
RETRYING = Look("Reattempting", "reattempting", "active", "An attempt failed; the next one is due.")
RECOVERED = Look("Completed", "recovered", "ok", "Succeeded after more than one attempt.")
RELEASED = Look(
    "Handed back", "queued", "idle", "Its cluster stopped; this does not count as a try."
)

GROUP_LOOKS = {
    GroupStatus.UNRESOLVED: Look("Unresolved", "failed", "bad", "Nobody has dealt with it."),
    GroupStatus.RESOLVED: Look("Resolved", "completed", "ok", "It comes back if it fails again."),
    GroupStatus.IGNORED: Look(
        "Ignored", "canceled", "idle", "Left alone until its condition is met."
    ),
}

#: The order people think in: not started, running, ended well, ended badly, stopped.
STATUS_ORDER = list(LOOKS)


def look(run: Run) -> Look:
    """The look of `run`, including states derived for display."""
    if run.is_canceling:
        return CANCELING
    if run.is_retrying:
        return RETRYING
    if run.is_resuming:
        return RESUMING
    if run.status == S.COMPLETED and tries(run) > 1:
        return RECOVERED
    return LOOKS[run.status]


def attempt_look(attempt: Attempt) -> Look:
    """The look of one attempt."""
    if attempt.status == AttemptStatus.RELEASED:
        return RELEASED
    return LOOKS[attempt.status]


def token_look(token: Waitpoint) -> Look:
    """The look of a wait token."""
    return TOKEN_LOOKS[token.status]


def group_look(group: ErrorGroup) -> Look:
    """The look of a group of failures."""
    return GROUP_LOOKS[GroupStatus(group.status)]


def batch_look(progress: Progress) -> Look:
    """The look of a batch."""
    if progress.is_pending or progress.is_aborted:
        return BATCH_PENDING if progress.is_pending else BATCH_ABORTED
    if progress.open:
        return BATCH_OPEN
    if progress.refused:
        return BATCH_PARTIAL
    return BATCH_MIXED if progress.failed else BATCH_ENDED


def tries(run: Run) -> int:
    """Attempts that count against `max_attempts`."""
    return run.attempts_begun - run.uncounted_attempts


def can_cancel(run: Run) -> bool:
    """Whether asking for a cancel still changes something."""
    return not run.is_final and not run.is_canceling


def can_edit(run: Run) -> bool:
    """Whether it was never started, so that priority, queue, delay and payload may change."""
    return run.status in PENDING and run.started_at is None


def can_unlock(run: Run) -> bool:
    """Whether it waits for one version of the code and might go on with another."""
    return run.status == S.PENDING_VERSION and bool(run.version)


def is_moving(run: Run) -> bool:
    """Whether somebody executes it now, so that a page about it should look often."""
    return run.holds_slot


def ended_well(run: Run) -> bool:
    """Whether there is an output to expect."""
    return run.status == S.COMPLETED


def run_time(run: Run, now: datetime) -> timedelta | None:
    """From first start to end or now; None before the start."""
    if run.started_at is None:
        return None
    return max(timedelta(), (run.finished_at or now) - run.started_at)


def queue_time(run: Run, now: datetime) -> timedelta | None:
    """From joining the queue to the first start or now; None before it joined."""
    if run.queued_at is None:
        return None
    return max(timedelta(), (run.started_at or run.finished_at or now) - run.queued_at)


def short_id(run_id: str) -> str:
    """The prefix and the characters that differ between neighbours."""
    prefix, _, body = run_id.partition("_")
    return f"{prefix}_{body[:4]}…{body[-6:]}" if len(body) > 12 else run_id


def duration_text(value: timedelta | float | None) -> str:
    """At most two units: "340 ms", "1.2 s", "2 h 14 m"."""
    if value is None:
        return "–"
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 or seconds == 0 else "<1 ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return _long_duration(int(seconds))


def _long_duration(seconds: int) -> str:
    for size, name, below_size, below in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "m"),
        (60, "m", 1, "s"),
    ):
        if seconds >= size:
            rest = seconds % size // below_size
            return f"{seconds // size} {name}" + (f" {rest} {below}" if rest else "")
    return f"{seconds} s"


def size_text(count: int) -> str:
    """Bytes for people."""
    if count < 1000:
        return f"{count} bytes"
    if count < 1_000_000:
        return f"{count / 1000:.1f} kB"
    return f"{count / 1_000_000:.1f} MB"
