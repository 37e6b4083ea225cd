"""The worker: executes bodies in django-q2's worker loop and writes their outcome itself."""

import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django_q.conf import Conf
from django_q.signals import post_spawn

from engine import catalog, discovery
from engine.cluster import lastwords, together
from engine.cluster.board import Ask, Board, Slot, State
from engine.cluster.channels import Channel, TaskQueue
from engine.cluster.endings import Leaving, assignment_of, ending_of, memory_of
from engine.cluster.keeping import RunKeeper
from engine.cluster.lines import LineSender
from engine.cluster.processes import (
    adopt_orphans,
    die_with_parent,
    name_process,
    sweep_children,
)
from engine.cluster.together import Group, Pace
from engine.execution import capture, executor, interrupts
from engine.execution.failures import describe
from engine.execution.hygiene import Snapshot
from engine.registry import DuplicateTaskIds
from runs import conf, signals
from runs.lifecycle import attempts, store
from runs.models import Run
from runs.states import RunStatus

log = logging.getLogger("trackside")

SECOND = 1_000_000_000
#: How the sentinel learns that a start failed for good: sysexits.h's "configuration error".
MISCONFIGURED = 78
#: And how a process ends that met a mistake of ours: its "internal software error".
BROKEN = 70
#: What no repetition mends; everything else the database answers may pass.
MISTAKES = (DataError, IntegrityError, *store.DRIVER_MISTAKES)
REASONS = {Ask.CANCEL: "cancel", Ask.TIMEOUT: "timeout", Ask.SHUTDOWN: "shutdown"}


@dataclass
class Place:
    """What one worker process has: set before the fork, completed after it."""

    board: Board
    index: int
    wake: Channel
    lines: LineSender
    parent: int
    #: Descriptor of the inbox.
    inbox: int
    hot: store.Store | None = None
    executed: int = 0
    #: How the process stood before it executed anything.
    clean: Snapshot | None = None
    #: What it executes or executed last, and CLOCK_MONOTONIC nanoseconds of its body.
    work: store.Assignment | None = None
    began: int = 0
    ended: int = 0
    #: Something ended that a parent may wait for, and is not recorded yet.
    awaited: bool = False

    def __post_init__(self) -> None:
        self.group = Group(self.slot, self.board.locks, self.index)
        self.pace = Pace()

    @property
    def slot(self) -> Slot:
        slot: Slot = self.board.slots[self.index]
        return slot

    @property
    def files(self) -> tuple[int, ...]:
        """Descriptors a body must leave alone."""
        channels = self.wake.writer.fileno(), self.lines.channel.writer.fileno()
        return *channels, self.board.locks.fileno(), self.inbox

    def reason(self) -> str:
        """Why this worker's run should stop, for the signal handler; empty when it is not meant."""
        slot = self.slot
        asked = slot.is_asked and slot.state == State.RUNNING
        return REASONS.get(Ask(slot.ask), "") if asked else ""


_place: Place | None = None
R = TypeVar("R")


def place() -> Place:
    assert _place is not None  # `prepare` ran before the fork
    return _place


def prepare(board: Board, index: int, wake: Channel, lines: Channel, inbox: TaskQueue) -> None:
    """Called by the sentinel right before it forks a worker."""
    global _place
    _place = Place(board, index, wake, LineSender(lines), os.getpid(), inbox.fileno())
    Conf.RECYCLE = 1 << 60  # `execute` decides, after its last run and not between two
    post_spawn.connect(begin, dispatch_uid="trackside-worker")


def begin(**_: Any) -> None:
    """First thing in the forked worker: signals, task code, connections; then it is free."""
    here = place()
    die_with_parent(here.parent)
    adopt_orphans()
    name_process("ts-worker")
    os.setpgid(0, 0)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    interrupts.install()
    capture.let_pass()
    try:
        catalog.register(discovery.discover(here.board.left_out, here.slot.announce))
    except DuplicateTaskIds as error:
        log.error("%s", error)
        os._exit(MISCONFIGURED)
    insisting(here, lambda opened: opened.warm_up())
    here.clean = Snapshot(here.files)
    become_free(here)


def become_free(here: Place) -> None:
    here.slot.vacate()
    here.slot.clear(State.FREE)
    here.wake.send(b"free", 0)


def execute(run_id: str, token: str) -> None:
    """The one function django-q2 executes here. Never raises: django-q2 would swallow it and wait."""
    here = place()
    if bytes(here.slot.token).decode() != token:
        return  # meant for a predecessor that died; the bookkeeper takes the run back
    try:
        work_off(here, run_id, token)
    except BaseException as mistake:
        log.critical(
            "Worker %s ends because of a mistake in Trackside.", os.getpid(), exc_info=True
        )
        give_up(here, mistake)


def give_up(here: Place, mistake: BaseException) -> NoReturn:
    """End this process; its run, if it has one, ends as SYSTEM_FAILURE.

    When not even that can be written, the slot stays busy: the sentinel sees a worker die on a run.
    """
    try:
        if here.slot.is_busy:
            recorded(here)
            give_back(here)
            begun(here)
            error = describe(mistake, "TASK_EXECUTION_FAILED")
            ending = attempts.fail(*here.slot.lease, error, RunStatus.SYSTEM_FAILURE)
            finished(here, ending, store.Next.NONE)
        here.slot.vacate()
    finally:
        logging.shutdown()
        os._exit(BROKEN)


def work_off(here: Place, run_id: str, token: str) -> None:
    """A claimed run, and the runs that are taken after it."""
    budget = Budget()
    begin_with(here, started(here, run_id, token))
    while (work := entered(here)) is not None:
        ending, damage = attempt(here, work)
        if damage:
            log.warning("Worker %s is replaced: %s", here.slot.pid, damage)
            sweep_children(set())
            lastwords.speak(ending, here.began)
        tidy(here)
        proceed(here, ending, budget)
    recorded(here)
    if here.executed >= int(conf.get("RECYCLE_RUNS")):
        leave(here)
    become_free(here)


def begin_with(here: Place, work: store.Assignment | None) -> None:
    if work is not None:
        here.group.fill([work], time.monotonic_ns())


def entered(here: Place) -> store.Assignment | None:
    """The next run, on the slot and ready to execute; None when there is none."""
    while (work := here.group.next()) is not None:
        if work.retaken and not work.begun:
            # Whoever lost it may have lost it to this very run: its start has to be seen.
            work = started(here, work.run_id, work.token)
        if work is not None:
            here.work = work
            lease = work.run_id, work.token
            here.began = 0
            here.slot.assign(*lease, work.attempt, State.RUNNING, begun=work.begun)
            return work
    return None


def proceed(here: Place, ending: store.Ending | Leaving, budget: "Budget") -> None:
    """Keep or record this end; when nothing is left of what was taken together, take more."""
    group = here.group
    budget.runs += 1
    if isinstance(ending, store.Ending) and ending.status == RunStatus.COMPLETED:
        here.awaited = here.awaited or (here.work is not None and here.work.parent_id is not None)
        group.note(store.Done(ending.run_id, ending.token, ending.output, here.began, here.ended))
        if group.works and group.is_due:
            recorded(here)
    else:
        recorded(here)
        begun(here)
        take = store.Next.NONE if group.works else budget.take(here)
        if isinstance(ending, Leaving):
            begin_with(here, left(here, ending, take))
        else:
            begin_with(here, finished(here, ending, take))
    if group.works and (group.is_stale or budget.is_over(here)):
        give_back(here)
    if group.done and not group.works:
        asked_at = time.monotonic_ns()
        group.fill(recorded(here, budget.take(here)), asked_at)
        if len(group.works) > 1 and not here.board.head.watching:
            here.wake.send(together.TAKEN, 0)


def give_back(here: Place) -> None:
    """Hand back what was taken and not started."""
    ahead = here.group.give_back()
    insisting(here, lambda opened: together.release(opened, ahead, together.GIVEN_BACK))


class Budget:
    """How far slot inheritance goes before other buckets get their turn."""

    def __init__(self) -> None:
        self.runs = 0
        self.since = time.monotonic()

    def is_over(self, here: Place) -> bool:
        """Whether this process is to take nothing more at all."""
        return bool(here.board.head.stop) or here.executed >= int(conf.get("RECYCLE_RUNS"))

    def take(self, here: Place) -> store.Next:
        """What to take with this finish."""
        if self.is_over(here):
            return store.Next.NONE
        spent = (time.monotonic() - self.since) * 1000
        if self.runs < conf.get("INHERIT_RUNS") and spent < conf.get("INHERIT_MILLISECONDS"):
            return store.Next.SAME
        if here.board.head.owed:
            return store.Next.NONE
        self.runs, self.since = 0, time.monotonic()
        return store.Next.ANY


def leave(here: Place) -> NoReturn:
    """End this process in order; the sentinel starts another."""
    here.slot.clear(State.GONE)
    logging.shutdown()
    os._exit(0)


def attempt(here: Place, work: store.Assignment) -> tuple[store.Ending | Leaving, str]:
    """Execute one body; how it ended, and what damage it left that only a new process mends."""
    here.executed += 1
    here.lines.begin(work.run_id, work.attempt)
    if work.max_duration:
        here.slot.deadline = time.monotonic_ns() + int(work.max_duration * SECOND)
    here.slot.memory = memory_of(work.machine)
    here.slot.entered = here.began = time.monotonic_ns()
    keeper = RunKeeper(work, here.slot, here.began, lambda call: insisting(here, call))
    outcome = executor.execute(assignment_of(work), here.lines, here, here.clean, keeper)
    if os.getpid() != here.slot.pid:
        os._exit(0)  # the body forked and its child came back here
    here.slot.deadline = 0
    here.ended = time.monotonic_ns()
    here.pace.note(here.ended - here.began)
    with suppress(OSError):  # the body may have closed it
        here.lines.end()
    return ending_of(work, outcome), outcome.recycle


def tidy(here: Place) -> None:
    """End the processes and database connections a body left behind."""
    left = sweep_children(set())
    if left:
        log.warning("Run %s left %s processes behind; they were killed.", here.slot.run_id, left)
    close_connections(interrupted=here.slot.is_asked)


def close_connections(*, interrupted: bool) -> None:
    """Django's connections of the body: gone when it left them in a transaction or broken.

    Of a body that was `interrupted` all go: the exception may have come in the middle of a query.
    """
    for connection in connections.all(initialized_only=True):
        if interrupted or connection.in_atomic_block or connection.needs_rollback:
            drop(connection)
        else:
            connection.close_if_unusable_or_obsolete()


def drop(connection: BaseDatabaseWrapper) -> None:
    """Close a connection and forget its state: inside `atomic` Django would never open it again."""
    with suppress(DatabaseError, InterfaceError):
        connection.close()
    del connections[connection.alias]


def started(here: Place, run_id: str, token: str) -> store.Assignment | None:
    """Record a start; None when the lease is lost or the run was canceled meanwhile."""
    return insisting(here, lambda opened: opened.start(run_id, token, os.getpid()))


def begun(here: Place) -> None:
    """Record the start of the run on the slot where that was left for later."""
    if not here.slot.is_begun:
        lease, began = here.slot.lease, here.began or None
        insisting(here, lambda opened: opened.start(*lease, os.getpid(), began))
        here.slot.begun_run = here.slot.run


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
    turn = insisting(here, lambda opened: opened.turn(done, take, most, os.getpid()))
    here.group.recorded()
    for run_id in turn.lost:
        tell_lost(run_id)
    if here.awaited:
        here.awaited = False
        signals.runs_ready.send(sender=Run)
    return turn.works


def tell_lost(run_id: str) -> None:
    log.warning("Run %s was taken back before its answer arrived; the answer is dropped.", run_id)


def left(here: Place, leaving: Leaving, take: store.Next) -> store.Assignment | None:
    """Write that the run of the last body waits; what is next: another, or the same if it need not."""
    result = insisting(here, lambda opened: opened.suspend(*leaving, take, os.getpid()))
    if result.outcome == "lost":
        tell_lost(leaving.run_id)
    if result.outcome == "ready":
        give_back(here)
        return here.work and here.work._replace(resumed=True, begun=True)
    signals.runs_ready.send(sender=Run)
    return result.next


def insisting(here: Place, call: Callable[[store.Store], R]) -> R:
    """Call until the database answers. Safe: every write is fenced by its token."""
    pause = 0.05
    while True:
        try:
            if here.hot is None:
                here.hot = store.dedicated()
            return call(here.hot)
        except MISTAKES:
            raise
        except (DatabaseError, InterfaceError, store.DRIVER_ERRORS) as error:
            log.warning(
                "Run %s: %s; trying again in %.2f s.",
                here.slot.run_id,
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
