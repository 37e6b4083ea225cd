"""The worker: executes bodies in django-q2's worker loop and writes their outcome itself."""

import gc
import logging
import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Any, NoReturn

from django_q.conf import Conf
from django_q.signals import post_spawn

from engine import discovery
from engine.cluster import guests, lastwords, lodging, records, reload, staying, tidying, together
from engine.cluster import place as places
from engine.cluster.board import Board, State
from engine.cluster.channels import Channel, TaskQueue
from engine.cluster.endings import Leaving, assignment_of, ending_of, measure
from engine.cluster.keeping import Lodge, RunKeeper
from engine.cluster.lines import LineSender
from engine.cluster.place import Place
from engine.cluster.processes import (
    adopt_orphans,
    die_with_parent,
    name_process,
    resident,
    sweep_children,
)
from engine.cluster.variables import load_variables
from engine.execution import capture, executor, interrupts
from engine.execution.failures import describe
from engine.execution.hygiene import Snapshot
from engine.registry import ConflictingTasks
from engine.sdk.keeper import Spot
from runs import conf
from runs.journal import Pause
from runs.lifecycle import attempts, store
from runs.states import RunStatus

log = logging.getLogger("trackside")

SECOND = 1_000_000_000
#: How the sentinel learns that a start failed for good: sysexits.h's "configuration error".
MISCONFIGURED = 78
#: And how a process ends that met a mistake of ours: its "internal software error".
BROKEN = 70


def prepare(
    board: Board, index: int, wake: Channel, lines: Channel, inboxes: Sequence[TaskQueue]
) -> None:
    """Called by the sentinel right before it forks a worker."""
    places.take(Place(board, index, wake, LineSender(lines), os.getpid(), inboxes))
    Conf.RECYCLE = 1 << 60  # `execute` decides, after its last run and not between two
    post_spawn.connect(begin, dispatch_uid="trackside-worker")


def begin(**_: Any) -> None:
    """First thing in the forked worker: signals, task code, connections; then it is free."""
    here = places.place()
    set_out(here, "ts-worker")
    here.become_free()


def set_out(here: Place, name: str) -> None:
    """Make the forked process ready to execute bodies."""
    die_with_parent(here.parent)
    adopt_orphans()
    name_process(name)
    os.setpgid(0, 0)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    interrupts.install()
    capture.let_pass()
    records.repeated(here, lambda: load_variables(here))
    try:
        found = discovery.discover(here.board.left_out, here.slot.announce)
    except ConflictingTasks as error:
        log.error("%s", error)
        os._exit(MISCONFIGURED)
    records.repeated(here, lambda: reload.take_up(here, found))
    here.lane = guests.lane_beside(here.board)
    records.insisting(here, lambda opened: opened.warm_up())
    here.clean, here.variables = Snapshot(here.files), copy_context()
    here.resting = resident(os.getpid())
    gc.freeze()  # what is loaded stays: no collection during a run has to look through it


def execute(run_id: str, token: str) -> None:
    """The one function django-q2 executes here. Never raises: django-q2 would swallow it and wait."""
    here = places.place()
    if bytes(here.slot.token).decode() != token:
        return  # meant for a predecessor that died; the bookkeeper takes the run back
    try:
        work_off(here, run_id, token)
    except BaseException as mistake:
        give_up(here, mistake)


def give_up(here: Place, mistake: BaseException) -> NoReturn:
    """End this process; its run, if it has one, ends as SYSTEM_FAILURE.

    When not even that can be written, the slot stays busy: the sentinel sees a worker die on a run.
    """
    told = "Worker %s ends because of a mistake in Trackside."
    log.critical(told, os.getpid(), exc_info=mistake)
    try:
        if here.slot.is_busy:
            records.recorded(here)
            records.give_back(here)
            records.begun(here)
            error = describe(mistake, "TASK_EXECUTION_FAILED")
            ending = attempts.fail(*here.slot.lease, error, RunStatus.SYSTEM_FAILURE)
            records.finished(here, ending, store.Next.NONE)
        here.slot.vacate()
    finally:
        logging.shutdown()
        os._exit(BROKEN)


class Budget:
    """How far slot inheritance goes before other buckets get their turn."""

    def __init__(self) -> None:
        self.begins()

    def begins(self) -> bool:
        """Count from here."""
        self.runs, self.since = 0, time.monotonic()
        return True

    def is_over(self, here: Place) -> bool:
        """Whether this process is to take nothing more at all."""
        return bool(here.board.head.stop) or tidying.is_used_up(here)

    def take(self, here: Place) -> store.Next:
        """What to take with this finish."""
        if self.is_over(here):
            return store.Next.NONE
        spent = (time.monotonic() - self.since) * 1000
        if self.runs < conf.get("INHERIT_RUNS") and spent < conf.get("INHERIT_MILLISECONDS"):
            return store.Next.SAME
        if here.board.head.owed or here.board.head.heavy:
            return store.Next.NONE
        self.begins()
        return store.Next.ANY


def work_off(here: Place, run_id: str, token: str) -> None:
    """A claimed run, and the runs that are taken after it."""
    if reload.is_outdated(here):
        records.insisting(here, lambda opened: reload.refuse(opened, run_id, token))
        leave(here)
    budget = Budget()
    begin_with(here, records.claimed(here, run_id, token))
    while (work := entered(here)) is not None:
        carry_out(here, work, budget)
    records.recorded(here)
    if lodging.has_run(here, run_id, token):
        return
    if tidying.is_used_up(here):
        leave(here)
    here.become_free()


def carry_out(here: Place, work: store.Assignment, budget: Budget) -> None:
    """Execute a run, and see to what is next."""
    ending, damage = attempt(here, work, partial(lodge, here, budget))
    if damage:
        log.warning("Worker %s is replaced: %s", here.slot.pid, damage)
        sweep_children(set())
        if ending is None:
            leave(here)
        lastwords.speak(ending, here.began)
    tidying.tidy(here)
    if ending is not None:
        proceed(here, ending, budget)


def lodge(here: Place, budget: Budget, keeper: RunKeeper, pause: Pause, spot: Spot) -> bool | None:
    """See `staying`: execute what the run waits for and wait, with its body on the stack below."""
    if not staying.is_possible(here, pause, spot):
        return None
    stay, group = staying.Stay(here, keeper, pause, spot), here.group

    def meanwhile() -> None:
        proceed(here, Leaving(*keeper.lease, pause), budget)
        while group.works or (lodging.comes(here, stay) and budget.begins()):
            if not stay.is_child(group.coming):
                return
            if (work := next_one(here)) is not None:
                carry_out(here, work, budget)

    try:
        with stay.apart():
            spot.aside(here.variables.copy(), meanwhile)
        work = next_one(here) if stay.has_ended(group.coming) else None
        if work is None:
            stay.give_up()
        else:
            stay.go_on(work)
    except BaseException as mistake:  # nothing that its body might catch
        give_up(here, mistake)
    return work is not None


def begin_with(here: Place, work: store.Assignment | None) -> None:
    if work is not None:
        here.group.fill([work], time.monotonic_ns())


def entered(here: Place) -> store.Assignment | None:
    """The next run, on the slot and ready to execute; None when there is none."""
    while here.group.works:
        if (work := next_one(here)) is not None:
            return work
    return None


def next_one(here: Place) -> store.Assignment | None:
    """The next of what was taken together, on the slot; None when it was lost or taken away."""
    work = here.group.next()
    if work is None or lodging.handed_over(here, work):
        return None
    if work.retaken and not work.begun:
        # Whoever lost it may have lost it to this very run: its start has to be seen.
        started = records.started(here, work.run_id, work.token)
        if started is None:
            return None
        work = started
    here.work = work = reload.locked(here, work)
    here.began = 0
    here.slot.assign(work.run_id, work.token, work.attempt, State.RUNNING, begun=work.begun)
    return work


def proceed(here: Place, ending: store.Ending | Leaving, budget: Budget) -> None:
    """Keep or record this end; when nothing is left of what was taken together, take more."""
    group = here.group
    budget.runs += 1
    if isinstance(ending, store.Ending) and ending.status == RunStatus.COMPLETED:
        here.awaited = here.awaited or (here.work is not None and here.work.parent_id is not None)
        group.note(store.Done(ending.run_id, ending.token, ending.output, here.began, here.ended))
        if group.works and group.is_due:
            records.recorded(here)
    else:
        records.recorded(here)
        take = store.Next.NONE if group.works else budget.take(here)
        if isinstance(ending, Leaving):
            begin_with(here, records.left(here, ending, take))
        else:
            records.begun(here)
            begin_with(here, records.finished(here, ending, take))
    if group.works and (group.is_stale or budget.is_over(here)):
        records.give_back(here)
    if group.done and not group.works:
        asked_at = time.monotonic_ns()
        group.fill(records.recorded(here, budget.take(here)), asked_at)
        if len(group.works) > 1 and not here.board.head.watching:
            here.wake.send(together.TAKEN, 0)


def leave(here: Place) -> NoReturn:
    """End this process in order; the sentinel starts another."""
    here.slot.clear(State.GONE)
    logging.shutdown()
    os._exit(0)


def attempt(
    here: Place, work: store.Assignment, lodge: Lodge
) -> tuple[store.Ending | Leaving | None, str]:
    """Execute one body; how it ended, and what damage it left that only a new process mends.

    None: its run had left already.
    """
    here.executed += 1
    records.brought_up(here)
    here.lines.begin(work.run_id, work.attempt)
    if work.max_duration:
        here.slot.deadline = time.monotonic_ns() + int(work.max_duration * SECOND)
    measure(here.slot, work)
    here.slot.entered = here.began = time.monotonic_ns()
    keeper = RunKeeper(work, here.slot, here.began, lambda call: records.insisting(here, call))
    here.keeper, keeper.lodge = keeper, lodge
    outcome = executor.execute(assignment_of(work), here.lines, here, here.clean, keeper)
    if os.getpid() != here.slot.pid:
        os._exit(0)  # the body forked and its child came back here
    here.slot.deadline = 0
    here.ended = time.monotonic_ns()
    here.pace.note(here.ended - here.began)
    with suppress(OSError):  # the body may have closed it
        here.lines.end()
    ending = None if keeper.is_gone else ending_of(keeper.work, outcome)
    return ending, outcome.recycle
