"""Which versions of the task code run, and what each of them does."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from runs.models import SessionState, WorkerSession


@dataclass(frozen=True, slots=True)
class Version:
    """One version that living clusters run. The first of several is the current one."""

    name: str
    since: datetime
    clusters: int
    slots: int
    executing: int
    tasks: int
    #: All of its clusters stop.
    is_leaving: bool


def running(sessions: Iterable[WorkerSession], held: dict[str, int]) -> list[Version]:
    """Of these sessions, with the leases each holds; the newest first, those that leave last."""
    living: dict[str, list[WorkerSession]] = {}
    for session in sessions:
        if session.state == SessionState.ALIVE:
            living.setdefault(session.version, []).append(session)
    found = [_version(name, its, held) for name, its in living.items()]
    return sorted(found, key=lambda one: (not one.is_leaving, one.since), reverse=True)


def _version(name: str, its: list[WorkerSession], held: dict[str, int]) -> Version:
    return Version(
        name=name,
        since=min(one.version_at for one in its),
        clusters=len(its),
        slots=sum(one.slots for one in its),
        executing=sum(held.get(one.pk, 0) for one in its),
        tasks=len(set().union(*(json.loads(one.tasks or "[]") for one in its))),
        is_leaving=all(one.draining for one in its),
    )
