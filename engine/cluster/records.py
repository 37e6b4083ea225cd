"""What a worker writes: each call is repeated until the database answers."""

import logging
import os
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, connections

from engine.cluster import together, variables
from engine.cluster.endings import Leaving
from engine.cluster.place import Place
from runs import conf, signals
from runs.lifecycle import envvars, store
from runs.models import Run
from runs.states import RunStatus

log = logging.getLogger("trackside")

#: What no repetition mends; everything else the database answers may pass.
MISTAKES = (DataError, IntegrityError, *store.DRIVER_MISTAKES)
R = TypeVar("R")


def started(here: Place, run_id: str, token: str) -> store.Assignment | None:
    """Record a start; None when the lease is lost or the run was canceled meanwhile."""
    return insisting(here, lambda opened: opened.start(run_id, token, os.getpid()))


def claimed(here: Place, run_id: str, token: str) -> store.Assignment | None:
    """What the dispatcher claimed; its start is recorded by whoever comes first: see `together`."""
    if int(conf.get("TOGETHER_RUNS")) == 1 and not here.slot.is_begun:
        return started(here, run_id, token)
    return insisting(here, lambda opened: opened.assigned(run_id, token))


def moved(here: Place, lease: tuple[str, str], pid: int) -> None:
    """Write that another process of this cluster has the run."""
    insisting(here, lambda opened: opened.move(*lease, pid))


def begun(here: Place) -> None:
    """Record the start of the run on the slot where that was left for later."""
    if not here.slot.is_begun:
        lease, began = here.slot.lease, here.began or None
        insisting(here, lambda opened: opened.start(*lease, os.getpid(), began))
        here.slot.begun = here.slot.token


def finished(here: Place, ending: store.Ending, take: store.Next) -> store.Assignment | None:
    """Record an ending, whatever it takes, and take the next run where allowed."""
    result = insisting(here, lambda opened: opened.finish(ending, take, os.getpid()))
    if not result.won:
        tell_lost(ending.run_id)
    if ending.status == RunStatus.QUEUED or (here.work and here.work.parent_id):
        signals.runs_ready.send(sender=Run)
    return result.next


def recorded(here: Place, take: store.Next = store.Next.NONE) -> list[store.Assignment]:
    """Record the ends that were kept, and take the next runs where allowed."""
    done, most = here.group.done, here.pace.most
    if not done:
        return []
    if take == store.Next.SAME and here.awaited:
        take = store.Next.HEIR
    alone = len(done) == 1
    here.slot.writing = time.monotonic_ns()
    turn = insisting(here, lambda opened: opened.turn(done, take, most, os.getpid()))
    here.slot.writing = 0
    here.group.recorded()
    for run_id in turn.lost:
        tell_lost(run_id)
    if here.awaited:
        here.awaited = False
        if not (alone and has_heir(here, turn.works)):
            signals.runs_ready.send(sender=Run)
    return turn.works


def has_heir(here: Place, works: list[store.Assignment]) -> bool:
    """Whether the run that waited for the last one goes on here already: nobody need look for it."""
    parent = here.work and here.work.parent_id
    return len(works) == 1 and works[0].begun and works[0].run_id == parent


def tell_lost(run_id: str) -> None:
    log.warning("Run %s was taken back before its answer arrived; the answer is dropped.", run_id)


def left(here: Place, leaving: Leaving, take: store.Next) -> store.Assignment | None:
    """Write that the run of the last body waits; what is next: another, or the same if it need not."""
    began = None if here.slot.is_begun else here.began or None
    result = insisting(here, lambda opened: opened.suspend(*leaving, take, os.getpid(), began))
    if result.outcome == "lost":
        tell_lost(leaving.run_id)
    if result.outcome == "ready":
        here.slot.begun = here.slot.token
        give_back(here)
        return here.work and here.work._replace(resumed=True, begun=True)
    if result.outcome == "waiting" and here.keeper is not None:
        here.keeper.leave(leaving.pause.entries)
    unborn = leaving.pause.unborn
    if unborn is None or result.next is None or [result.next.run_id] != unborn.ids:
        signals.runs_ready.send(sender=Run)
    return result.next


def give_back(here: Place) -> None:
    """Hand back what was taken and not started."""
    ahead = here.group.give_back()
    insisting(here, lambda opened: together.release(opened, ahead, together.GIVEN_BACK))


def brought_up(here: Place) -> None:
    """Put environment variables that changed into this process, before its next body."""
    if variables.is_behind(here):
        variables.take(here, insisting(here, lambda _: envvars.loaded()))


def insisting(here: Place, call: Callable[[store.Store], R]) -> R:
    """Call until the database answers. Safe: every write is fenced by its token."""
    return repeated(here, lambda: call(here.hot or here.connect()))


def repeated(here: Place, call: Callable[[], R]) -> R:
    """The same on Django's connection, or on any."""
    pause = 0.05
    while True:
        try:
            return call()
        except MISTAKES:
            raise
        except (DatabaseError, InterfaceError, store.DRIVER_ERRORS) as error:
            log.warning(
                "%s: %s; trying again in %.2f s.",
                f"Run {here.slot.run_id}" if here.slot.run else f"Process {os.getpid()}",
                str(error).split("\n")[0],
                pause,
            )
            abandon(here)
            time.sleep(pause)
            pause = min(pause * 2, 2.0)


def abandon(here: Place) -> None:
    broken, here.hot = here.hot, None
    try:
        if broken is not None:
            broken.close()
        connections.close_all()
    except Exception:
        log.debug("A broken connection did not close in order.", exc_info=True)
