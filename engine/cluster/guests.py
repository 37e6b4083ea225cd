"""Runs of `async def` tasks share one process of a cluster, its host: what the others make of it."""

import logging
import pickle
import time
from typing import Any

from engine.cluster.board import Ask, Board, Seat, State
from engine.cluster.channels import Channel
from engine.cluster.deaths import Death, Guilt
from engine.cluster.deaths import of as death_of
from engine.cluster.limits import grace_of
from engine.registry import registry
from runs.lifecycle import store
from runs.models import Lane, Task

SECOND = 1_000_000_000
#: A run that stays in the event loop so many seconds is told while it does.
LONG = 5.0
#: Tells the host to look for runs, or why it should not; readable to who empties a dead one's inbox.
LOOK = pickle.dumps("LOOK")


def are_known() -> bool:
    """Whether any code that was registered has an `async def` task."""
    return Task.objects.filter(is_async=True, active=True).exists()


def lane_beside(board: Board) -> Lane | None:
    """What a worker with a process to itself takes, and with it whether a host is wanted.

    Everything where nobody else here would take the rest.
    """
    if board.seats and any(task.body.is_async for task in registry):
        board.head.sharing = 1
    return Lane.ALONE if board.head.sharing or not are_known() else None


def leave_alone(opened: store.Store, board: Board) -> None:
    """Keep the dispatcher from claiming what the host takes."""
    if board.head.sharing and len(opened.lanes) > 1:
        opened.keep_to(Lane.ALONE)


def nudge(board: Board, inbox: Channel | None) -> None:
    """Let the host look; what finds no room in its inbox is one of many such words."""
    if board.head.sharing and inbox is not None:
        inbox.send(LOOK, 0)


def entry(board: Board) -> dict[str, Any]:
    """What the host does, for the Workers page."""
    return {
        "slot": len(board),
        "pid": board.host.pid,
        "state": State(board.host.state).name,
        "run_id": None,
        "runs": [seat.run_id for seat in board.seats if seat.is_busy],
        "seats": len(board.seats),
    }


def vacate(board: Board, state: State) -> None:
    """No run has a seat any more."""
    board.head.stepping = 0
    for seat in board.seats:
        seat.ask = seat.killed = 0
        seat.clear(state)


class Holder:
    """Sees a run whose code does not leave the event loop."""

    def __init__(self, board: Board) -> None:
        self.board, self.told = board, 0

    def found(self) -> list[Any] | None:
        """The log line it deserves, once for each time."""
        head = self.board.head
        at, since = head.stepping - 1, head.stepping_since
        held = (time.monotonic_ns() - since) / SECOND
        if at < 0 or held < LONG or since == self.told:
            return None
        self.told, seat = since, self.board.seats[at]
        waiting = sum(other.is_busy for other in self.board.seats) - 1
        text = (
            f"It has been holding the event loop for {held:.0f} s; {waiting} other runs wait. Await "
            "what takes long, or give it to a thread: await asyncio.to_thread(...)."
        )
        return [seat.run_id, seat.attempt, logging.WARNING, "trackside", text, time.time()]


# -- the host ended -------------------------------------------------------------------------------


def deaths_of(board: Board, exitcode: int | None) -> list[Death]:
    """What its end means for each of its runs: the guilty ones pay for it, the others do not."""
    busy = [seat for seat in board.seats if seat.is_busy]
    killed = board.host.killed
    if killed == Ask.SHUTDOWN:
        return [death(seat, exitcode, killed=killed) for seat in busy]
    guilty, why = blamed(board, busy)
    if not guilty:
        text = "The process it shared with other runs ended, and which of them was the cause is not known."
        facts = {"killed": killed, "guilt": Guilt.POSSIBLE, "why": text}
        return [death(seat, exitcode, **facts) for seat in busy]
    names = ", ".join(seat.run_id for seat in guilty)
    text = f"The process it shared with {names} ended because of that run; it was handed back."
    innocent = {"killed": 0, "guilt": Guilt.NONE, "why": text}
    ids = {seat.run_id for seat in guilty}
    return [
        death(seat, exitcode, killed=seat.killed or killed, why=why)
        if seat.run_id in ids
        else death(seat, exitcode, **innocent)
        for seat in busy
    ]


def death(seat: Seat, exitcode: int | None, **facts: Any) -> Death:
    found = death_of(seat, exitcode)
    fields = {name: getattr(found, name) for name in Death.__slots__}
    return Death(**{**fields, "entered": 0, **facts})


def blamed(board: Board, busy: list[Seat]) -> tuple[list[Seat], str]:
    """Because of which runs the host ended, and why where the runs do not show it.

    Whose time was over, unless the event loop was with another run and could not tell it; else
    whose code the loop was in; else the only one.
    """
    at = board.head.stepping - 1
    inside = [seat for seat in busy if at >= 0 and seat.run == board.seats[at].run]
    overdue = [seat for seat in busy if seat.killed and seat.is_asked]
    if overdue and inside and not any(seat.run == inside[0].run for seat in overdue):
        held = board.head.stepping_since
        if held <= min(seat.asked_at + grace_of(seat) // 2 for seat in overdue):
            seconds = (time.monotonic_ns() - held) / SECOND
            return inside, (
                f"It held the event loop for {seconds:.1f} s, so that other runs could not be "
                "stopped; its process was killed."
            )
    if overdue or inside:
        return overdue or inside, ""
    return (busy, "") if len(busy) == 1 else ([], "")
