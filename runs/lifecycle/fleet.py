"""The living clusters: which version of the task code each runs, and which tasks it has (DEC-31)."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from runs.models import SessionState, Task, WorkerSession

#: What runs of a paused task are pinned to begins so; no version does.
PAUSED = "paused "


@dataclass(frozen=True, slots=True)
class Fleet:
    """The sessions that take runs, newest version first: the version of the first is the current one."""

    sessions: Sequence[WorkerSession]

    @classmethod
    def now(cls) -> "Fleet":
        taking = living().filter(draining=False).exclude(version="")
        return cls(list(taking.defer("workers").order_by("-version_at", "-id")))

    @property
    def prepared(self) -> list[WorkerSession]:
        """Those that have imported their tasks; all of them while none has."""
        return [one for one in self.sessions if one.tasks] or list(self.sessions)

    @property
    def is_uniform(self) -> bool:
        """Whether every cluster can execute every run that is locked to none or to its version."""
        return len({one.version for one in self.sessions}) == 1 and not any(
            one.lacking for one in self.sessions
        )

    def able(self, task_id: str) -> list[str]:
        """The versions that have this task as far as is known, the current one first."""
        able = [one.version for one in self.prepared if not lacks(one, task_id)]
        return list(dict.fromkeys(able))

    def all_have(self, task_id: str) -> bool:
        return not any(lacks(one, task_id) for one in self.sessions)

    def runs(self, version: str) -> bool:
        return any(one.version == version for one in self.sessions)

    def is_coming(self, version: str) -> bool:
        """Whether clusters of this version are only just importing their tasks."""
        return self.runs(version) and all(one.version != version for one in self.prepared)

    def pin(self, version: str) -> str:
        """What keeps a run for this version; empty where there is no other."""
        return "" if all(one.version == version for one in self.sessions) else version


def living() -> Any:
    return WorkerSession.objects.filter(state=SessionState.ALIVE)


def lacks(session: WorkerSession, task_id: str) -> bool:
    return f"\n{task_id}\n" in session.lacking


def since(version: str, now: datetime) -> datetime:
    """Since when a version is run that one more cluster begins to run now."""
    running = living().filter(draining=False, version=version)
    earliest = running.order_by("version_at").values_list("version_at", flat=True).first()
    return earliest or now


def register(session_id: str, version: str, task_ids: Iterable[str]) -> None:
    """The workers of a session have these tasks, and start runs with this version from now on.

    Writes nothing when nothing changed. Without a session nothing is known of a cluster.
    """
    if not session_id:
        return
    session = living().filter(pk=session_id).defer("workers").first()
    tasks = json.dumps(sorted(set(task_ids)))
    if session is None or (session.version, session.tasks) == (version, tasks):
        return
    changes: dict[str, Any] = {"tasks": tasks}
    if session.version != version:
        changes |= {"version": version, "version_at": since(version, timezone.now())}
    with transaction.atomic():
        living().filter(pk=session_id).update(**changes)
        compare()


def compare() -> int:
    """Note with each session which tasks of the others it has not, and those that are paused, which
    nobody is to take. Returns how many have changed.

    Those that stop count too: what only they have nobody else should try.
    """
    sessions = list(living().exclude(tasks="").defer("workers").order_by("pk"))
    tasks = {one.pk: frozenset(json.loads(one.tasks)) for one in sessions}
    everything = frozenset[str]().union(*tasks.values())
    halted, changed = paused(), 0
    for one in sessions:
        lacking = listed((everything - tasks[one.pk]) | halted)
        if lacking != one.lacking:
            changed += living().filter(pk=one.pk).update(lacking=lacking)
    return changed


def listed(task_ids: Iterable[str]) -> str:
    """Tasks as a session's `lacking` has them."""
    ids = sorted(task_ids)
    return "\n" + "\n".join(ids) + "\n" if ids else ""


def paused() -> frozenset[str]:
    """The tasks whose runs a person has wait."""
    return frozenset(Task.objects.filter(paused_at__isnull=False).values_list("pk", flat=True))


def pause_pin(task_id: str) -> str:
    """What keeps the runs of a paused task: a version nobody runs."""
    return PAUSED + hashlib.sha256(task_id.encode()).hexdigest()[:40]


def newer_than(version: str) -> frozenset[str]:
    """The versions that came to be run after this one, and are."""
    fleet = Fleet.now()
    ages = [one.version_at for one in fleet.sessions if one.version == version]
    if not ages:
        return frozenset()
    return frozenset(one.version for one in fleet.prepared if one.version_at > max(ages))


def has(task_id: str) -> bool:
    """Whether a cluster that takes runs has this task."""
    return any(task_id in json.loads(one.tasks or "[]") for one in Fleet.now().sessions)
