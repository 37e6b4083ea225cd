"""New code under a running cluster: its first worker that imports it takes the cluster along.

The workers are forked from a process without task code, so each imports what is there when it
starts. As soon as one finds another version, the cluster takes runs for that version alone; workers
of the old code finish what they have and are replaced.
"""

import logging
import os

from engine import catalog
from engine.cluster import together
from engine.cluster.board import Slot, State
from engine.cluster.place import Place
from engine.discovery import Catalog
from runs.lifecycle import store

log = logging.getLogger("trackside")


def take_up(here: Place, found: Catalog) -> None:
    """Register what this worker has imported, and make its version that of the cluster.

    The board first: who looks at the database for a version finds no worker free that lacks it.
    """
    board, version = here.board, found.version.encode()
    with board.locks.held(len(board.slots)):  # the lock after those of the slots
        if board.head.version not in (b"", version):
            log.warning(
                "Worker %s has version %s of the code; those of version %s are replaced.",
                os.getpid(),
                found.version,
                board.version,
            )
        here.slot.version = board.head.version = version
        catalog.register(found, board.session_id)


def is_outdated(here: Place) -> bool:
    """Whether the cluster takes runs for other code than that of this worker."""
    return bool(here.slot.version != here.board.head.version)


def locked(here: Place, work: store.Assignment) -> store.Assignment:
    """What is executed now, with the version its first start locks it to."""
    return work if work.version else work._replace(version=here.slot.version.decode())


def is_to_be_replaced(slot: Slot, version: bytes) -> bool:
    """Whether a worker has nothing to do and is not to get anything any more."""
    return bool(slot.state == State.FREE and slot.version != version)


def refuse(opened: store.Store, run_id: str, token: str) -> None:
    """Hand back a run that was claimed for newer code than this worker has."""
    together.release(
        opened, [(run_id, token)], "Its worker is being replaced by one of newer code."
    )
