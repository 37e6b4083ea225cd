"""The dispatcher: django-q2's pusher loop over our `dequeue`."""

import contextlib
import logging
import os
import select
import signal
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import InterfaceError, OperationalError, connections
from django.utils import timezone
from django_q.brokers import Broker
from django_q.signing import SignedPackage

from engine import wakeup
from engine.cluster import guests, limits, together, variables
from engine.cluster.board import Board
from engine.cluster.channels import Channel
from engine.cluster.packages import package
from engine.cluster.processes import die_with_parent, name_process
from engine.cluster.together import TAKEN, Relief
from runs import conf, lifecycle
from runs.lifecycle import finalhooks
from runs.lifecycle.store import Claim, SessionLost, Store, dedicated

log = logging.getLogger("trackside")

#: Seconds between two looks when a claim met only locked rows.
CONTENDED = 0.002
#: The same when it may have found no room for them; a worker that becomes free wakes us.
WEIGHED = 0.05
HOUR = 3600.0
#: Seconds between two looks at workers that hold several runs.
WATCH = 0.01
#: Seconds without checking the LISTEN link.
PING = 15.0
#: A body that stayed there left it, at this very moment.
MOVED = "Its worker was not free any more."
#: Longest time, in seconds, between two looks for schedules that are due.
FIRE = 1.0


class DispatchBroker(Broker):  # type: ignore[misc]
    """Claims as many runs as workers are free, never more; otherwise sleeps until it is woken.

    `dequeue` never raises: django-q2 would answer with ten seconds of sleep.
    """

    def __init__(self, board: Board, wake: Channel) -> None:
        self.board, self.wake = board, wake
        self.parent = os.getpid()
        self.store: Store | None = None
        self.listener: wakeup.Listener | None = None
        self.failures = 0
        self.promoted_at = self.pinged_at = 0.0
        self.due_in = self.due_at = self.fire_at = 0.0
        self.relief = Relief(board)
        #: The inbox of the process that many runs share.
        self.host: Channel | None = None
        self.execute: Any = None
        self.conclude: Any = None
        super().__init__(list_key="trackside")

    def ping(self) -> bool:
        return True

    def info(self) -> str:
        return "the runs table"

    def queue_size(self) -> int:
        return 0

    def lock_size(self) -> int:
        return 0

    def set_stat(self, key: str, value: str, timeout: int) -> None:
        """The worker session is the cluster's state."""

    def enqueue(self, task: str) -> None:
        raise TypeError(
            "This cluster executes Trackside runs. Start a stock django-q2 cluster for async_task()."
        )

    def dequeue(self) -> list[tuple[None, str]]:
        try:
            packages = self.look()
            self.failures = 0
        except Exception:
            self.recover()
            return []
        return packages

    def look(self) -> list[tuple[None, str]]:
        """One round: claim for the free workers, or wait for a reason to look again."""
        self.connect()
        if self.board.head.stop or self.board.head.fenced:
            self.wait(0.1)
            return []
        if self.board.head.drained:
            self.wait(float(conf.get("POLL_SECONDS")))
            return []
        free = self.board.free()
        owed = self.owed(len(free)) if free and self.board.head.owed else []
        if owed:
            return self.assigned(zip(free, owed, strict=False), is_run=False)
        claims = self.claim(len(free)) if free else []
        if claims:
            return self.assigned(self.board.matched(free, claims))
        self.wait(self.pause(has_free=bool(free)))
        return []

    def connect(self) -> None:
        if self.store is None:
            self.store = dedicated()
        guests.leave_alone(self.store, self.board)
        if self.listener is None:
            self.listener = wakeup.Listener()
            self.pinged_at = time.monotonic()
        elif time.monotonic() - self.pinged_at > PING:
            self.pinged_at = time.monotonic()
            self.listener.is_alive()

    def claim(self, slots: int) -> list[Claim]:
        self.promote(every=0.0 if time.monotonic() >= self.due_at else 1.0)
        assert self.store is not None
        try:
            return self.store.claim(self.board.session_id, slots)
        except SessionLost:
            self.board.head.fenced = 1
            return []

    def owed(self, slots: int) -> list[Claim]:
        """Final hooks that are due, for half of the free workers at most: runs go on beside them."""
        taken = finalhooks.take((slots + 1) // 2, self.board.version)
        self.board.head.owed = len(taken)
        return taken

    def assigned(
        self, pairs: Iterable[tuple[int, Claim]], *, is_run: bool = True
    ) -> list[tuple[None, str]]:
        """Put the claims on the board and wrap them for the workers' inboxes."""
        assert self.store is not None
        packages, func = [], self.execute if is_run else self.conclude
        for slot, claim in pairs:
            if self.board.assign(slot, claim):
                word = package(slot, claim.run_id, claim.token, func, is_run=is_run)
                packages.append((None, SignedPackage.dumps(word)))
            elif is_run:
                together.release(self.store, [claim[:2]], MOVED)
        return packages

    def pause(self, *, has_free: bool) -> float:
        """Seconds until there may be something to do though nobody wakes us."""
        assert self.store is not None
        self.store.version = self.board.version
        pressure = self.store.pressure(self.board.session_id)
        self.board.head.heavy = pressure.waits
        if has_free and self.store.claimable():
            return WEIGHED if pressure.weighs else CONTENDED
        self.promote(every=0.0)
        if has_free and self.board.head.owed:
            return CONTENDED
        return min(self.due_in, float(conf.get("POLL_SECONDS")))

    def promote(self, *, every: float) -> None:
        """Make due delays and retries claimable, and remember when the next one is due."""
        if time.monotonic() - self.promoted_at < every:
            return
        self.promoted_at = time.monotonic()
        # A look costs less than a transaction, which on SQLite the worker would have to wait for.
        promoted = False
        while seconds_until(due := lifecycle.next_due()) <= 0 and lifecycle.promote_due():
            promoted = True
            guests.nudge(self.board, self.host)
        due_in = seconds_until(due)
        self.due_at = time.monotonic() + due_in
        self.due_in = max(min(CONTENDED if promoted else due_in, self.fire()), 0.001)
        hooks_in = seconds_until(finalhooks.next_due(self.board.version))
        self.board.head.owed = hooks_in <= 0
        if hooks_in > 0:
            self.due_in = min(self.due_in, hooks_in)

    def fire(self) -> float:
        """Make the runs of schedules that are due; returns the seconds until the next look.

        Looked at once a second, for schedules made elsewhere, and when the next fire comes.
        """
        now = time.monotonic()
        if now >= self.fire_at:
            due = firing_due()
            self.fire_at = now + min(max(seconds_until(due), CONTENDED), FIRE)
        return self.fire_at - now

    def wait(self, seconds: float) -> None:
        """Sleep until woken; meanwhile relieve the workers that need it."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.woken(self.watch(left)):
                return

    def watch(self, seconds: float) -> float:
        """Relieve workers, and say how long to sleep: not long while one may need it soon."""
        assert self.store is not None
        self.board.head.watching = False
        if self.relief.is_needed():
            self.board.head.watching = True
            self.relief.give(self.store)
            return min(seconds, WATCH)
        return seconds

    def woken(self, seconds: float) -> bool:
        """Sleep, and hear what comes; whether that is a reason to look for runs."""
        assert self.listener is not None
        ears: list[wakeup.Listener | Channel] = [self.listener, self.wake]
        readable, _, _ = select.select(ears, [], [], seconds)
        reasons = set(self.wake.drain()) if self.wake in readable else set()
        has_reason = self.listener in readable or bool(reasons - {TAKEN})
        if has_reason:
            guests.nudge(self.board, self.host)
        if self.listener in readable:
            for message in self.listener.messages():
                self.hear(message)
        return has_reason

    def hear(self, message: str) -> None:
        if message == wakeup.VARIABLES:
            variables.look(self.board)
        if not message.startswith(wakeup.CANCEL):
            return
        assert self.store is not None
        run_id = message.removeprefix(wakeup.CANCEL)
        if not limits.cancel(self.board, run_id):
            self.relief.take_back(self.store, run_id)

    def recover(self) -> None:
        """The database went away or answered with an error: start over with new connections."""
        self.failures += 1
        pause = min(0.1 * 2**self.failures, 5.0)
        log.warning("The dispatcher will try again in %.1f s.", pause, exc_info=self.failures == 1)
        for broken in (self.store, self.listener):
            with contextlib.suppress(Exception):
                if broken is not None:
                    broken.close()
        with contextlib.suppress(Exception):
            connections.close_all()
        self.store = self.listener = None
        self.wake.drain()
        select.select([self.wake], [], [], pause)


def firing_due() -> datetime | None:
    """`fire_due`; a schedule that cannot be fired must not keep runs from being claimed."""
    try:
        return lifecycle.fire_due()
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("Schedules could not be fired; they will be tried again.")
        return None


def seconds_until(due: datetime | None) -> float:
    return (due - timezone.now()).total_seconds() if due is not None else HOUR


def prepare_child(parent: int, name: str) -> None:
    """First thing in a process the sentinel spawned: die with it, leave signals to it."""
    die_with_parent(parent)
    name_process(name)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
