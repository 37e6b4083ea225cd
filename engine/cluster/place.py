"""What one worker process has."""

from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass, field

from engine.cluster.board import Ask, Board, Seat, Slot, State
from engine.cluster.channels import Channel, TaskQueue
from engine.cluster.keeping import RunKeeper
from engine.cluster.lines import LineSender
from engine.cluster.together import Group, Pace
from engine.cluster.variables import Variables
from engine.execution.hygiene import Snapshot
from runs.lifecycle import store
from runs.models import Lane

REASONS = {Ask.CANCEL: "cancel", Ask.TIMEOUT: "timeout", Ask.SHUTDOWN: "shutdown"}


@dataclass
class Place:
    """Set before the fork, completed after it."""

    board: Board
    index: int
    wake: Channel
    lines: LineSender
    parent: int
    #: Of every worker of the cluster.
    inboxes: Sequence[TaskQueue]
    hot: store.Store | None = None
    executed: int = 0
    #: Bytes it had before it executed anything; when it was looked at again, and what was found.
    resting: int = 0
    weighed_at: float = 0.0
    is_bloated: bool = False
    #: How the process stood before it executed anything, and its context variables.
    clean: Snapshot | None = None
    variables: Context = field(default_factory=Context)
    #: What it executes or executed last, and CLOCK_MONOTONIC nanoseconds of its body.
    work: store.Assignment | None = None
    keeper: RunKeeper | None = None
    began: int = 0
    ended: int = 0
    #: The lane of the runs it takes; None for all.
    lane: Lane | None = None
    #: Bodies that stay here while their runs wait.
    lodgers: int = 0
    #: Something ended that a parent may wait for, and is not recorded yet.
    awaited: bool = False
    #: Made before the fork: what is set then is the machine's.
    environment: Variables = field(default_factory=Variables)

    def __post_init__(self) -> None:
        self.group = Group(self.slot, self.board.locks, self.index)
        self.pace = Pace()

    @property
    def slot(self) -> Slot:
        slot: Slot = self.board.slots[self.index]
        return slot

    def connect(self) -> store.Store:
        """A connection of its own to the database, for any thread that has the right to use it."""
        self.hot = store.dedicated(self.lane)
        self.hot.version = self.slot.version.decode()
        self.hot.connection.inc_thread_sharing()
        return self.hot

    @property
    def files(self) -> tuple[int, ...]:
        """Descriptors a body must leave alone."""
        channels = self.wake.writer.fileno(), self.lines.channel.writer.fileno()
        return *channels, self.board.locks.fileno(), self.inbox.fileno()

    @property
    def inbox(self) -> TaskQueue:
        return self.inboxes[self.index]

    def become_free(self, lodger: bytes = b"") -> None:
        """Let the dispatcher know that a run can be taken; the lodger's own above all."""
        self.slot.vacate()
        self.slot.lodger = lodger
        self.slot.clear(State.FREE)
        self.wake.send(b"free", 0)

    def reason(self) -> str:
        """Why this worker's run should stop, for the signal handler; empty when it is not meant."""
        slot = self.slot
        asked = slot.is_asked and slot.state == State.RUNNING
        return REASONS.get(Ask(slot.ask), "") if asked else ""


_place: Place | None = None


def place() -> Place:
    assert _place is not None  # `take` ran before the fork
    return _place


def take(made: Place) -> None:
    """Make it this process's, and that of those it forks."""
    global _place
    _place = made


class SeatControl:
    """Why the run on a seat should stop."""

    def __init__(self, seat: Seat, token: str) -> None:
        self.move(seat, token)

    def move(self, seat: Seat, token: str) -> None:
        """The run is on this seat, with a lease of this token."""
        self.seat, self.token = seat, token.encode()

    def reason(self) -> str:
        seat = self.seat
        ours = seat.token == self.token and seat.state == State.RUNNING
        return REASONS.get(Ask(seat.ask), "") if ours and seat.is_asked else ""
