"""Whose code the host's event loop is in, for the other processes to see."""

import time
from collections.abc import Sized

from engine.cluster.board import Board
from engine.execution.watching import Guest, Held


class Stepping(Held):
    """Notes on the board whose code the loop is in."""

    def __init__(self, board: Board, guests: Sized) -> None:
        super().__init__(lambda: len(guests))
        self.head = board.head

    def enter(self, guest: Guest) -> None:
        super().enter(guest)
        self.head.stepping_since = time.monotonic_ns()
        self.head.stepping = guest.number + 1

    def leave(self, guest: Guest) -> None:
        self.head.stepping = 0
        super().leave(guest)
