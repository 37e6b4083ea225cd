"""How a worker that its body damaged still writes down the outcome.

Files closed under its database connections, functions replaced: nothing of such a process can be
trusted, a new connection no more than the old. So the process becomes a new program, with the same
id and parent, which writes the ending and ends.
"""

import os
import pickle
import signal
import sys
import tempfile
import time
from typing import NoReturn

import django

if __name__ == "__main__":
    django.setup()

from django.db import DatabaseError, InterfaceError, connections

from engine.cluster.endings import Leaving
from runs import signals
from runs.lifecycle import attempts, store
from runs.models import Run
from runs.states import RunStatus

FRESH = ("-m", "engine.cluster.lastwords")


def speak(ending: store.Ending | Leaving, began: int) -> NoReturn:
    """Become a program that writes the ending of a body that was entered at `began`.

    Called in the damaged process. CLOCK_MONOTONIC nanoseconds.
    """
    # It may be closed; what is opened next must not take the place of standard output.
    nothing = os.open(os.devnull, os.O_RDWR)
    while nothing <= 2:
        nothing = os.dup(nothing)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    with tempfile.TemporaryFile() as letter:
        letter.write(pickle.dumps((ending, began)))
        letter.flush()
        os.set_inheritable(letter.fileno(), True)
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, *FRESH, str(letter.fileno())]
        os.execve(sys.executable, command, dict(environment))  # noqa: S606  it is our own


def main(letter: int) -> None:
    with os.fdopen(letter, "rb") as opened:
        opened.seek(0)
        ending, began = pickle.load(opened)  # noqa: S301  from this very process
    while not written(ending, began):
        time.sleep(1)
    if isinstance(ending, Leaving) or ending.status == RunStatus.QUEUED:
        signals.runs_ready.send(sender=Run)


def written(ending: store.Ending | Leaving, began: int) -> bool:
    """Whether the database answered. Safe to repeat: the write is fenced by its token."""
    try:
        store.current().start(ending.run_id, ending.token, os.getpid(), began)
        if isinstance(ending, Leaving):
            leave(ending)
        else:
            store.current().finish(ending)
    except (DatabaseError, InterfaceError):
        connections.close_all()
        return False
    return True


def leave(leaving: Leaving) -> None:
    """Nobody here can go on with a run whose wait is over already: it is handed back."""
    done = store.current().suspend(*leaving)
    if done.outcome == "ready":
        reason = "Its worker was replaced right when its wait was over."
        store.current().finish(attempts.release(leaving.run_id, leaving.token, reason))


if __name__ == "__main__":
    main(int(sys.argv[1]))
