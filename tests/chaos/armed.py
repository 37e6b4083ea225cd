"""What makes a process of the product a victim: a host name of its own, and places to die at.

A file `<verb>.<before|after>` in the directory CHAOS_AIMS is a shot at whichever process comes to that
call of its store next: it takes the file away, writes down its death, and kills itself. So processes
die right before and right after their commits, which random kills hardly ever meet.
"""

import os
import signal
import socket
from functools import wraps
from pathlib import Path
from typing import Any

from django.apps import AppConfig

from tests.chaos import mutants
from tests.chaos.ledger import write

#: What claims, starts, ends and remembers runs.
VERBS = ("claim", "claim_started", "start", "turn", "turn_over", "finish", "suspend", "record")
MOMENTS = ("before", "after")


class Armed(AppConfig):
    name = "tests.chaos"
    label = "chaos"

    def ready(self) -> None:
        if name := os.environ.get("CHAOS_HOST"):
            socket.gethostname = lambda: name
        if aims := os.environ.get("CHAOS_AIMS"):
            arm(Path(aims))
        mutants.apply(os.environ.get("CHAOS_MUTANT", ""))


def arm(aims: Path) -> None:
    """Look for a shot around every call of a store's verbs."""
    from runs.lifecycle.store import STORES  # noqa: PLC0415  has models

    for store in set(STORES.values()):
        for kind in {store, *store.__mro__, *store.__subclasses__()}:
            for verb in VERBS:
                if verb in vars(kind) and not getattr(vars(kind)[verb], "is_armed", False):
                    setattr(kind, verb, deadly(vars(kind)[verb], verb, aims))


def deadly(call: Any, verb: str, aims: Path) -> Any:
    @wraps(call)
    def calling(*args: Any, **options: Any) -> Any:
        fall(aims / f"{verb}.before")
        answer = call(*args, **options)
        fall(aims / f"{verb}.after")
        return answer

    calling.is_armed = True  # type: ignore[attr-defined]
    return calling


def fall(shot: Path) -> None:
    """Die, if it is for us."""
    try:
        shot.unlink()
    except OSError:
        return
    write({"what": "aimed", "shot": shot.name})
    os.kill(os.getpid(), signal.SIGKILL)
