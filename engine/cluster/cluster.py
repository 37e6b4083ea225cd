"""The main process: starts the sentinel, passes signals on, reports how it ended."""

import logging
import os
import signal
import sys
from typing import Any

import django_q.cluster
from django.db import connections
from django_q.cluster import Cluster

from engine.cluster import guests
from engine.cluster.board import Board, Stop
from engine.cluster.bookkeeper import open_session
from engine.cluster.channels import Channel
from engine.cluster.dispatcher import DispatchBroker
from engine.cluster.sentinel import TracksideSentinel
from runs import conf

log = logging.getLogger("trackside")


class TracksideCluster(Cluster):  # type: ignore[misc]
    """django-q2's Cluster with two-step signals: the first drains, the second stops at once.

    The wish is written to the board; nothing here waits on a lock a dead process may hold.
    """

    def __init__(self, *, workers: int, name: str, version: str) -> None:
        seats = int(conf.get("ASYNC_SLOTS"))
        self.board, self.wake = Board(workers, name, version, seats), Channel()
        super().__init__(broker=DispatchBroker(self.board, self.wake))
        open_session(self.board)
        self.board.head.sharing = bool(seats) and guests.are_known()
        connections.close_all()
        TracksideSentinel.board = self.board
        django_q.cluster.Sentinel = TracksideSentinel
        logging.getLogger("django-q").setLevel(logging.ERROR)

    def sig_handler(self, signum: int, frame: Any) -> None:
        self.stop()

    def stop(self) -> bool:
        """Ask for the next harder stop."""
        head = self.board.head
        head.stop = Stop.NOW if head.stop else Stop.DRAIN
        self.wake.send(b"stop", 0)
        return True

    def run(self) -> int:
        """Start and wait. Returns the exit code: 0 after a stop that was asked for."""
        self.start()
        while self.sentinel.is_alive():
            self.sentinel.join(1.0)
        asked = bool(self.board.head.stop)
        if not asked:
            log.critical(
                "The cluster's supervisor ended unexpectedly (%s).", self.sentinel.exitcode
            )
        return 0 if asked else 1


def run(*, workers: int | None = None, name: str = "default", version: str = "") -> None:
    """Run one cluster until it is told to stop; exits the process."""
    cluster = TracksideCluster(
        workers=workers or int(conf.get("WORKERS")), name=name, version=version
    )
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    code = cluster.run()
    sys.stdout.flush()
    os._exit(code)
