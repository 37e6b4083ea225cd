"""Final hooks of runs whose own worker could not call them, in a worker that still can."""

import json
import logging
import os
import time
from contextlib import suppress

from django.db import DatabaseError, InterfaceError

from engine.cluster import place as places
from engine.cluster import records, tidying, worker
from engine.cluster.board import State
from engine.cluster.endings import assignment_of, memory_of
from engine.cluster.place import Place
from engine.cluster.worker import SECOND
from engine.execution import executor
from engine.execution.outcomes import Concluded, Missing
from runs import conf
from runs.lifecycle import finalhooks, store
from runs.models import Run

log = logging.getLogger("trackside")


def conclude(run_id: str, token: str) -> None:
    """The function django-q2 calls for them. Never raises: django-q2 would swallow it and wait."""
    here = places.place()
    if bytes(here.slot.token).decode() != token:
        return  # meant for a predecessor that died
    try:
        damage = concluded(here, run_id, token)
    except (DatabaseError, InterfaceError) as error:  # the row is due again after a while
        log.warning("The final hooks of run %s: %s", run_id, str(error).split("\n")[0])
        damage = ""
    except BaseException as mistake:
        worker.give_up(here, mistake)
    if damage or here.executed >= int(conf.get("RECYCLE_RUNS")):
        worker.leave(here)
    here.become_free()


def concluded(here: Place, run_id: str, token: str) -> str:
    """Call them and write down that they were; what damage they left."""
    found = finalhooks.ended_run(run_id, token)
    if found is None:
        return ""
    work, run = found
    here.executed += 1
    answer = called(here, work, run)
    tidying.tidy(here)
    session = here.board.session_id
    match answer:
        case Concluded(interrupted=True):
            finalhooks.postpone(run_id, token)
        case Concluded(called=hooks, problems=problems):
            finalhooks.done(run_id, token, session, hooks, "; ".join(problems))
        case Missing(reason=reason):
            finalhooks.wait_for_version(run, token, reason, session)
    return answer.recycle


def called(here: Place, work: store.Assignment, run: Run) -> Concluded | Missing:
    records.brought_up(here)
    here.lines.begin(work.run_id, work.attempt)
    here.slot.assign(work.run_id, work.token, work.attempt, State.RUNNING)
    here.slot.deadline = time.monotonic_ns() + int(conf.get("FINAL_HOOKS_SECONDS") * SECOND)
    here.slot.memory = memory_of(work.machine)
    end = executor.End(run.status, json.loads(run.error or "{}"), run.reason)
    answer = executor.conclude(assignment_of(work), end, here.lines, here, here.clean)
    if os.getpid() != here.slot.pid:
        os._exit(0)  # a hook forked and its child came back here
    here.slot.deadline = 0
    with suppress(OSError):  # a hook may have closed it
        here.lines.end()
    return answer
