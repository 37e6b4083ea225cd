"""The environment variables people keep in Trackside, in the processes that execute runs.

They are there before task code is imported. A change is put into a process before its next run, and
because modules may have read them while they were imported, the process is replaced once it is idle.
"""

import logging
import os
import time
from typing import TYPE_CHECKING

from engine.cluster.board import Board, Slot, State
from engine.execution.hygiene import Snapshot
from runs import conf
from runs.lifecycle import envvars

if TYPE_CHECKING:
    from engine.cluster.place import Place

log = logging.getLogger("trackside")

SECOND = 1_000_000_000


class Variables:
    """Those of one process. What the machine itself sets wins over what is stored."""

    def __init__(self) -> None:
        self.own = frozenset(os.environ)
        self.revision = 0
        self.values: dict[str, str] = {}

    def apply(self, found: envvars.Loaded, clean: Snapshot | None) -> None:
        """Bring the process's environment in line, and what `clean` puts back after each run."""
        wanted = {name: text for name, text in found.values.items() if name not in self.own}
        names = self.values.keys() | wanted.keys()
        for name in names:
            if self.values.get(name) != (value := wanted.get(name)):
                adopt(name, value)
                if clean is not None:
                    clean.adopt(name, value)
        self.values, self.revision = wanted, found.revision


def adopt(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def load_variables(here: "Place") -> None:
    """Put them into a new process, whose code is imported next."""
    take(here, envvars.loaded())
    here.slot.variables, here.slot.loaded_at = here.environment.revision, time.monotonic_ns()


def is_behind(here: "Place") -> bool:
    """Whether they changed since they were put into this process; asked before each run."""
    return bool(here.environment.revision < here.board.head.variables)


def take(here: "Place", found: envvars.Loaded) -> None:
    """Put into this process what was read; the first process that does tells what is wrong."""
    head, ours = here.board.head, here.environment
    if head.variables < found.revision or not ours.revision:
        tell(sorted(ours.own & found.values.keys()), found.unreadable)
    ours.apply(found, here.clean)
    head.variables = max(head.variables, found.revision)


def tell(hidden: list[str], unreadable: list[str]) -> None:
    if hidden:
        log.info(
            "Set on this machine, which wins over what Trackside has stored: %s.", ", ".join(hidden)
        )
    if unreadable:
        log.error(
            "Runs go without these environment variables, which were encrypted under another "
            "SECRET_KEY: %s. Put that key into SECRET_KEY_FALLBACKS, or set them anew.",
            ", ".join(unreadable),
        )


def look(board: Board) -> None:
    """See whether they changed."""
    board.head.variables = max(board.head.variables, envvars.revision())


def has_old_variables(here: "Place") -> bool:
    """Whether another process is to go on in its place, because of what modules may have read."""
    return are_old(here.slot, here.board.head.variables)


def is_to_be_replaced(slot: Slot, revision: int) -> bool:
    """Whether a worker has nothing to do and its code was imported with others."""
    return bool(slot.state == State.FREE and are_old(slot, revision))


def are_old(slot: Slot, revision: int) -> bool:
    """Not where it was imported a moment ago: somebody may change variables without end."""
    if slot.variables >= revision:
        return False
    age = time.monotonic_ns() - slot.loaded_at
    return bool(age > float(conf.get("SWEEP_SECONDS")) * SECOND)
