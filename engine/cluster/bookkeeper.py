"""The bookkeeper: the cluster's heartbeat, its dead, its log lines and its housekeeping.

A process of its own, so that the sentinel never waits for the database and user code never starves
the heartbeat. Everything it is told stays in its hands until the database has it.
"""

import json
import logging
import pickle
import select
import time
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, InterfaceError, connection, connections

from engine import wakeup
from engine.cluster import guests, limits, orders, together, trust, variables
from engine.cluster.board import Ask, Board, State
from engine.cluster.capacity import capacity
from engine.cluster.channels import Channel
from engine.cluster.deaths import Death, describe, ending_of
from engine.cluster.dispatcher import prepare_child
from engine.cluster.lines import LineBook, row
from engine.cluster.processes import resident
from engine.maintenance import Housekeeping
from engine.maintenance.bulk import go_on_in_bulk
from runs import conf, lifecycle, signals
from runs.lifecycle import finalhooks, sessions, store
from runs.models import Lease, Run

log = logging.getLogger("trackside")

#: The last message: close the session and leave.
CLOSE = b"close"
#: Seconds the sentinel waits for the bookkeeper after that.
LAST_WORDS = 8.0
#: Seconds between two flushes of log lines.
FLUSH = 0.25
#: Seconds between two looks for cancel requests whose notification was lost.
CANCELS = 1.0
#: Seconds between two looks for what people tell the cluster.
ORDERS = 2.0
#: A sentinel silent for longer is stopped or stuck: let the session run out.
SILENT = 20.0
SECOND = 1_000_000_000


def keep_books(board: Board, deaths: Channel, lines: Channel, parent: int) -> None:
    """The process's body."""
    prepare_child(parent, "ts-bookkeeper")
    Bookkeeper(board, deaths, lines).run()


def open_session(board: Board) -> None:
    """Register the cluster of this board; its claims and leases are the new session's from now on."""
    asked_at = time.monotonic_ns()
    session = sessions.open_session(
        board.name,
        slots=len(board),
        version=board.version,
        pid=board.main,
        after=board.session_id,
        capacity=capacity(len(board), shared=bool(board.seats)),
    )
    board.session_id = session.pk
    trust.renew(board.head, asked_at)


class Bookkeeper:
    """Timers and inboxes; `run` returns when the session is closed."""

    def __init__(self, board: Board, deaths: Channel, lines: Channel) -> None:
        self.board, self.deaths, self.lines = board, deaths, lines
        self.book = LineBook()
        self.unrecorded: list[Death] = []
        self.closing = False
        self.housekeeping = Housekeeping()
        self.holder = guests.Holder(board)
        self.missing: set[tuple[str, str]] = set()
        heartbeat = float(conf.get("HEARTBEAT_SECONDS"))
        sweep = min(float(conf.get("SWEEP_SECONDS")), 5.0)
        self.bulk: list[Any] = [0.0, sweep, self.go_on_in_bulk]
        self.timers: list[list[Any]] = [
            [0.0, FLUSH, self.flush],
            [0.0, FLUSH, self.tell_draining],
            [0.0, min(heartbeat, 2.0), self.beat],
            [0.0, CANCELS, self.look_for_cancels],
            [0.0, sweep, self.sweep],
            [0.0, CANCELS, self.look_for_held],
            [0.0, sweep, self.look_for_variables],
            [0.0, sweep, self.look_for_limits],
            [0.0, ORDERS, self.look_for_orders],
            self.bulk,
        ]
        self.beaten_at = 0.0
        self.heartbeat = heartbeat
        self.draining = False

    def run(self) -> None:
        while not self.closing:
            self.listen(self.pause())
            self.guarded(self.record_deaths)
            for timer in self.timers:
                if time.monotonic() >= timer[0]:
                    timer[0] = time.monotonic() + timer[1]
                    self.guarded(timer[2])
        self.close()

    def pause(self) -> float:
        if self.unrecorded:
            return 0.1
        due: float = min(timer[0] for timer in self.timers)
        return max(due - time.monotonic(), 0.0)

    def listen(self, seconds: float) -> None:
        readable, _, _ = select.select([self.deaths, self.lines], [], [], seconds)
        if self.lines in readable:
            self.book.take(self.lines.drain())
        if self.deaths in readable:
            for message in self.deaths.drain():
                if message == CLOSE:
                    self.closing = True
                else:
                    self.unrecorded.append(pickle.loads(message))  # noqa: S301  from our sentinel

    def guarded(self, duty: Callable[[], None]) -> bool:
        """Do a duty; a database that is away is tried again at its next turn."""
        try:
            duty()
        except (DatabaseError, InterfaceError) as error:
            log.warning(
                "The bookkeeper could not reach the database: %s", str(error).split("\n")[0]
            )
            connections.close_all()
            return False
        return True

    # -- the dead ---------------------------------------------------------------------------------

    def record_deaths(self) -> None:
        while self.unrecorded:
            self.record(self.unrecorded[0])
            self.unrecorded.pop(0)

    def record(self, death: Death) -> None:
        books = store.current()
        books.version = death.version
        if death.done:
            books.turn(death.done, store.Next.NONE, 1, death.pid)
        together.release(books, death.left, "Its worker process ended before it was started.")
        if death.left:
            signals.runs_ready.send(sender=Run)
        if not Lease.objects.filter(pk=death.run_id, token=death.token).exists():
            hooks, session = (death.run_id, death.token), self.board.session_id
            blame = death.killed != Ask.SHUTDOWN
            finalhooks.lose(*hooks, describe(death), session, blame=blame)
            return
        if death.entered:
            books.start(death.run_id, death.token, death.pid, death.entered)
        finished = books.finish(ending_of(death))
        if finished.won:
            log.warning("Run %s: %s", death.run_id, describe(death))
            self.book.spans.died(death.run_id)
            lifecycle.cancel_orphans(death.run_id)
            signals.runs_ready.send(sender=Run)

    # -- the living -------------------------------------------------------------------------------

    def beat(self) -> None:
        """Renew the session while the sentinel looks around; begin a new one after a fence."""
        if time.monotonic_ns() - self.board.head.tick > SILENT * SECOND:
            return
        if self.board.head.fenced == 2:
            self.begin_again()
        changed = time.monotonic() - self.beaten_at >= self.heartbeat
        if not changed and not any(slot.is_busy for slot in self.board.taken):
            return
        self.beaten_at = time.monotonic()
        asked_at = time.monotonic_ns()
        facts = {
            "workers": self.workers(),
            "slots": len(self.board.taken),
            "is_deaf": connection.vendor == "postgresql" and not wakeup.can_listen(),
        }
        if sessions.renew(self.board.session_id, **facts):
            trust.renew(self.board.head, asked_at)
        else:
            self.board.head.fenced = self.board.head.fenced or 1

    def begin_again(self) -> None:
        open_session(self.board)
        self.board.head.fenced = 0

    def tell_draining(self) -> None:
        """A cluster that stops takes nothing more, so nothing is to be kept for it."""
        if self.board.head.stop and not self.draining:
            sessions.drain(self.board.session_id)
            self.draining = True

    def workers(self) -> str:
        """What every slot does, for the Workers page."""
        return json.dumps(
            [
                {
                    "slot": index,
                    "pid": slot.pid,
                    "state": State(slot.state).name,
                    "run_id": slot.run_id if slot.is_busy else None,
                    "memory": resident(slot.pid) if slot.pid else 0,
                }
                for index, slot in enumerate(self.board)
            ]
            + ([guests.entry(self.board)] if self.board.head.sharing else [])
        )

    def look_for_cancels(self) -> None:
        busy = [slot.run_id for slot in self.board.taken if slot.is_busy]
        asked = Run.objects.filter(
            pk__in=busy, cancel_requested_at__isnull=False, finished_at__isnull=True
        )
        for run_id in asked.values_list("pk", flat=True) if busy else []:
            limits.cancel(self.board, run_id)

    def sweep(self) -> None:
        self.housekeeping.run()
        self.reconcile()

    def go_on_in_bulk(self) -> None:
        """Somebody waits for it: as long as there is an action, one look follows the other."""
        again = go_on_in_bulk()
        if again is not None:
            self.bulk[0] = time.monotonic() + again

    def reconcile(self) -> None:
        """Leases of this session that no worker has, seen twice: their process died unnoticed."""
        held = set(
            Lease.objects.filter(session_id=self.board.session_id).values_list("run_id", "token")
        )
        here = {lease for slot in self.board.taken for lease in slot.leases}
        waiting = {lease for death in self.unrecorded for lease in death.leases}
        missing = held - here - waiting
        for run_id, token in missing & self.missing:
            self.unrecorded.append(
                Death(run_id=run_id, token=token, started=True, killed=0, exitcode=None)
            )
        self.missing = missing

    def look_for_held(self) -> None:
        """Tell a run that it keeps others waiting; its own process cannot."""
        if told := self.holder.found():
            self.book.rows.append(row(told))

    def look_for_variables(self) -> None:
        variables.look(self.board)

    def look_for_limits(self) -> None:
        trust.note_limits(self.board.head)

    def look_for_orders(self) -> None:
        orders.obey(self.board)

    def flush(self) -> None:
        self.book.flush()

    def close(self) -> None:
        """Write what is left and end the session, for as long as the sentinel waits."""
        deadline = time.monotonic() + LAST_WORDS - 1
        duties = [self.record_deaths, self.flush, self.end_session]
        while duties and time.monotonic() < deadline:
            self.book.take(self.lines.drain())
            if self.guarded(duties[0]):
                duties.pop(0)
            else:
                time.sleep(0.2)
        self.book.give_up()

    def end_session(self) -> None:
        sessions.close(self.board.session_id)
