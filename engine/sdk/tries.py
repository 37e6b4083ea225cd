"""The tries of a block, remembered by its run: how many are used up, and when the next is due.

Each `retry.on_throw` and `retry.fetch` of a body has a name in the journal. Under it stand the pauses between its tries,
and after the last try a mark that they are over: what comes after that begins anew.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Self

from django.utils import timezone

from engine.sdk.calls import Call
from engine.sdk.durable import active, inside
from engine.sdk.replay import Replay
from runs.journal import Pause
from runs.states import EntryKind, EntryStatus

NAME = "retry.on_throw"
OVER = "over"
#: Pauses from so many seconds on are remembered; from so many on, the run leaves its worker for them.
SHORT, LONG = 1.0, 5.0


class UsedTries:
    """What one `on_throw` or `fetch` of a body has used up."""

    def __init__(self, replay: Replay, name: str) -> None:
        self._replay, self._name = replay, name
        self._is_open = False

    @classmethod
    def here(cls, what: str = NAME) -> Self | None:
        """For a block in the body of a run; None where nothing is remembered, as inside a step."""
        run = active()
        if run is None or inside.get() is not None or run.misplaced():
            return None
        run.blocks += 1
        return cls(run, f"{what} {run.blocks}")

    def so_far(self) -> int:
        """How many tries were made before; leaves the worker if the next is not due yet."""
        used, last = 0, None
        while self._replay.is_ahead(EntryKind.WAIT, self._name):
            last = self._replay.call(EntryKind.WAIT, self._name)
            assert last.entry is not None  # it is ahead
            used = 0 if last.entry.args == OVER else int(last.entry.args.partition(" ")[2])
        self._is_open = used > 0
        if self._is_open and last is not None:
            self._wait_on(last, used)
        return used

    def _wait_on(self, call: Call, used: int) -> None:
        assert call.entry is not None  # it was recorded
        due = call.entry.due_at
        if due is not None and due - timezone.now() >= timedelta(seconds=SHORT):
            self._replay.suspend(Pause(reason=because(used + 1), due=due, entries=call.attached()))

    def keep(self, used: int, delay: float) -> None:
        """So many tries are used up, and the next is due after `delay` seconds."""
        if delay < SHORT:
            return
        self._is_open = True
        call = replace(self._replay.call(EntryKind.WAIT, self._name), args=f"try {used}")
        due = timezone.now() + timedelta(seconds=delay)
        entry = call.made(EntryStatus.PENDING, due_at=due)
        if delay >= LONG:
            self._replay.suspend(Pause(reason=because(used + 1), due=due, entries=(entry,)))
        self._replay.record(entry)

    def close(self) -> None:
        """There are no more tries to come."""
        if self._is_open:
            self._is_open = False
            call = replace(self._replay.call(EntryKind.WAIT, self._name), args=OVER)
            self._replay.record(call.made(EntryStatus.DONE))


def remember(tries: UsedTries | None, used: int, delay: float | None) -> float | None:
    """Keep the pause that follows so many tries, or that there is none; returns it."""
    if tries is not None:
        if delay is None:
            tries.close()
        else:
            tries.keep(used, delay)
    return delay


def because(number: int) -> str:
    return f"Waits for try {number} of a block."
