"""The supervisor: sees deaths at once, stops what does not stop by itself, touches no database."""

import logging
import os
import signal
import time
from collections.abc import Callable
from multiprocessing import Process, Value
from multiprocessing.connection import wait
from typing import Any, cast

from django import db
from django_q.cluster import Sentinel
from django_q.worker import worker

from engine.cluster import bookkeeper, deaths, guests, host, reload, trust, variables
from engine.cluster import worker as workers
from engine.cluster.board import Ask, Board, Slot, State, Stop
from engine.cluster.channels import Channel, Inboxes, NoResults, TaskQueue
from engine.cluster.limits import (
    Limits,
    ask,
    import_memory,
    kill,
    next_look,
)
from engine.cluster.processes import (
    adopt_orphans,
    die_with_parent,
    end_of,
    kill_tree,
    name_process,
    sweep_children,
)
from engine.cluster.pushing import StopFlag, dispatch
from engine.cluster.starts import Starts
from runs import conf

log = logging.getLogger("trackside")

#: Seconds between two rounds when nothing happens.
ROUND = 0.5
#: Seconds a process that many runs share gets to end once none is there.
LEAVING = 2.0


class TracksideSentinel(Sentinel):  # type: ignore[misc]
    """django-q2's Sentinel with our queues, guard loop and stop.

    Replaced whole: `guard` and `stop`. Its queues hold locks a killed worker keeps for ever, it
    learns of deaths by polling, and it waits for its workers without a limit.
    """

    board: Board

    def __init__(self, *args: Any, start: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, start=False, **kwargs)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        adopt_orphans()
        die_with_parent(self.parent_pid)
        name_process("ts-sentinel")
        self.pool_size = len(self.board)
        self.inboxes = [TaskQueue() for _ in self.board.slots]
        self.broker.host = self.inboxes[-1]
        self.deaths, self.lines = deaths.Deaths(), Channel()
        self.task_queue, self.result_queue = Inboxes(self.inboxes), NoResults()
        self.event_out = StopFlag(self.board)
        self.broker.parent = os.getpid()
        self.slots: dict[Process, int] = {}
        self.starts = Starts(self.board.left_out)
        self.limits = Limits()
        if start:
            self.start()

    # -- the process tree -------------------------------------------------------------------------

    def spawn_cluster(self) -> None:
        self.pool: list[Process] = []
        db.connections.close_all()
        self.monitor = self.spawn_monitor()
        for index in self.vacant():
            self.spawn_worker(index)
        self.pusher = self.spawn_pusher()

    def vacant(self) -> list[int]:
        """The slots without a process; the last is the host's, where one is wanted."""
        wanted = self.pool_size + bool(self.board.head.sharing)
        return [index for index in range(wanted) if index not in self.slots.values()]

    def spawn_worker(self, index: int) -> None:
        slot = self.board.slots[index]
        slot.ask = slot.killed = 0
        slot.vacate()
        slot.state = State.STARTING
        slot.importing, slot.memory = b"", import_memory()
        slot.since = time.monotonic_ns()
        workers.prepare(self.board, index, self.broker.wake, self.lines, self.inboxes)
        process = self.spawn_for(index)
        slot.pid = process.pid or 0
        self.slots[process] = index

    def spawn_for(self, index: int) -> Process:
        inbox = self.inboxes[index]
        if index < self.pool_size:
            return self.spawn_process(worker, inbox, self.result_queue, Value("f", -1), -1)
        self.pool.append(host.spawned(inbox))
        return self.pool[-1]

    def spawn_process(self, target: Callable[..., Any], *args: Any) -> Process:
        return cast("Process", super().spawn_process(target, *args))

    def spawn_pusher(self) -> Process:
        return self.spawn_process(dispatch, self.task_queue, self.event_out, self.broker)

    def spawn_monitor(self) -> Process:
        return self.spawn_process(
            bookkeeper.keep_books, self.board, self.deaths, self.lines, os.getpid()
        )

    # -- the guard loop ---------------------------------------------------------------------------

    def guard(self) -> None:
        self.start_event.set()
        while not self.board.head.stop:
            self.look_around()
            self.respawn()
        self.stop()

    def look_around(self) -> None:
        """One round: bury the dead, enforce limits, sleep until a process ends or a time is due."""
        self.board.head.tick = time.monotonic_ns()
        for process in [p for p in self.pool if not p.is_alive()]:
            self.bury(process)
        for process in [p for p in (self.monitor, self.pusher) if not p.is_alive()]:
            self.revive(process)
        if self.board.head.fenced == 1:
            self.fence()
        if changed := self.board.left_out.forgive():
            self.replace_workers(", ".join(changed))
        self.replace_outdated()
        trust.stop_unsure(self.board)
        self.enforce()
        sweep_children(self.known())
        wait([p.sentinel for p in [*self.pool, self.monitor, self.pusher]], self.pause())

    def enforce(self) -> None:
        """Hold every run to its limits."""
        for process, index in self.slots.items():
            self.limits.enforce(process, self.board.slots[index])
            for seat in self.board.seats if index == self.pool_size else ():
                self.limits.enforce(process, seat)
        self.limits.measure(self.working())

    def working(self) -> list[tuple[Process, Slot]]:
        return [(process, self.board.slots[index]) for process, index in self.slots.items()]

    def known(self) -> set[int]:
        processes = [*self.pool, self.monitor, self.pusher]
        return {process.pid for process in processes if process.pid is not None}

    def pause(self) -> float:
        """Seconds until the next deadline, at most a round."""
        return next_look(self.board.taken, ROUND)

    def bury(self, process: Process) -> None:
        """A worker ended: tell the bookkeeper what it was on, and plan its successor."""
        index = self.slots.pop(process)
        slot = self.board.slots[index]
        self.pool.remove(process)
        kill_tree(process.pid or 0) if process.pid else None
        self.report(index, process.exitcode)
        if not self.board.head.stop:
            self.starts.ended(index, slot, process.exitcode)
        while not self.inboxes[index].empty():
            self.inboxes[index].get()
        slot.pid = 0
        slot.vacate()

    def report(self, index: int, exitcode: int | None) -> None:
        slot = self.board.slots[index]
        found = [deaths.of(slot, exitcode)] if slot.leases else []
        if index == self.pool_size:
            found = guests.deaths_of(self.board, exitcode)
            guests.vacate(self.board, State.GONE)
        for death in found:
            if death.run_id:
                log.warning("Run %s lost its worker process %s.", death.run_id, slot.pid)
            self.deaths.tell(death)

    def respawn(self) -> None:
        for index in self.vacant():
            if self.starts.is_due(index):
                self.spawn_worker(index)

    def revive(self, process: Process) -> None:
        name = "bookkeeper" if process is self.monitor else "dispatcher"
        log.error("The %s ended unexpectedly and is started again.", name)
        if process is self.monitor:
            self.monitor = self.spawn_monitor()
            self.deaths.tell_again()
        else:
            self.end_unserved()
            self.pusher = self.spawn_pusher()

    def end_unserved(self) -> None:
        """Workers the dead dispatcher may have promised a run it never passed on."""
        for process, index in self.slots.items():
            slot = self.board.slots[index]
            if slot.state == State.ASSIGNED:
                kill(process, slot, Ask.SHUTDOWN, slot.token)

    def replace_workers(self, changed: str) -> None:
        """Let each leave after the run it is on: they know files that changed only as left out."""
        log.warning("%s changed and is imported again.", changed)
        for index in self.slots.values():
            self.inboxes[index].put("STOP")

    def replace_outdated(self) -> None:
        """End idle workers of old code, or old variables; busy ones leave by themselves."""
        head = self.board.head
        for index in self.slots.values():
            slot = self.board.slots[index]
            if reload.is_to_be_replaced(slot, head.version):
                slot.state = State.GONE
                self.inboxes[index].put("STOP")
            elif variables.is_to_be_replaced(slot, head.variables):
                # the dispatcher may be giving it a run right now: after this word it is handed back
                self.inboxes[index].put("STOP")

    def fence(self) -> None:
        """The session was reaped: nothing its workers do counts any more, so end them."""
        log.error("The session was declared lost; its workers are replaced.")
        for process, index in self.slots.items():
            slot = self.board.slots[index]
            with self.board.locks.held(index):
                slot.vacate()
            slot.killed = Ask.SHUTDOWN
            kill_tree(process.pid or 0)
        guests.vacate(self.board, State.GONE)
        self.board.head.fenced = 2

    # -- the end ----------------------------------------------------------------------------------

    def stop(self) -> None:
        """Let runs finish for the grace, ask the rest to hand back, kill, keep the books, leave."""
        self.event_out.set()
        self.broker.wake.send(b"stop")
        guests.nudge(self.board, self.inboxes[-1])
        begun = time.monotonic()
        deadline = begun + float(conf.get("DRAIN_SECONDS"))
        asked = False
        while self.pool:
            self.bury_all_dead()
            self.release_idle()
            if time.monotonic() > begun + LEAVING:
                self.end_idle_host()
            late = time.monotonic() > deadline
            if self.board.head.stop == Stop.NOW:
                for process, index in self.slots.items():
                    slot = self.board.slots[index]
                    kill(process, slot, Ask.SHUTDOWN, slot.token)
            elif late and not asked:
                asked = True
                for seat in self.board.taken:
                    if seat.is_busy:
                        ask(seat, Ask.SHUTDOWN, seat.token)
            self.enforce()
            wait([process.sentinel for process in self.pool], 0.05)
        end_of(self.pusher, 2.0)
        self.deaths.send(bookkeeper.CLOSE, patience=1.0)
        end_of(self.monitor, bookkeeper.LAST_WORDS)
        sweep_children(set())

    def bury_all_dead(self) -> None:
        for process in [p for p in self.pool if not p.is_alive()]:
            self.bury(process)
        if not self.monitor.is_alive():
            self.revive(self.monitor)

    def release_idle(self) -> None:
        """Idle workers end by django-q2's own word for it."""
        for process, index in self.slots.items():
            slot = self.board.slots[index]
            if slot.state in (State.FREE, State.STARTING):
                if slot.state == State.FREE:
                    slot.state = State.GONE
                    self.inboxes[index].put("STOP")
                elif self.board.head.stop == Stop.NOW or slot.killed == 0:
                    slot.killed = Ask.SHUTDOWN
                    kill_tree(process.pid or 0)

    def end_idle_host(self) -> None:
        """It ends by itself, unless the database keeps it waiting."""
        for process, index in self.slots.items():
            if index == self.pool_size and not any(seat.is_busy for seat in self.board.seats):
                kill(process, self.board.host, Ask.SHUTDOWN, self.board.host.token)
