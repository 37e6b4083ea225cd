"""The versions of the task code that clusters have run, and how each did beside the one before."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from django.db.models import Count

from runs.models import CodeVersion, Facet, Ready, SessionState, WorkerSession
from runs.reads import rollups
from runs.reads.tally import Tally

#: Versions that are looked at.
SHOWN = 50
#: So much more of the runs fail that it is said.
WORSE = 0.05


@dataclass(frozen=True, slots=True)
class Changes:
    """What a version has that the one before had not."""

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    #: Their payload schema is another.
    changed: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


@dataclass(frozen=True, slots=True)
class Deploy:
    """One version."""

    version: CodeVersion
    tasks: int
    #: None for the oldest that is known.
    changes: Changes | None
    tally: Tally
    #: Failure rate of the version before.
    before: float | None
    clusters: int
    #: Runs that are kept for it.
    pinned: int
    is_current: bool

    @property
    def is_worse(self) -> bool:
        now = self.tally.failure_rate
        return now is not None and self.before is not None and now - self.before >= WORSE


def deploys(start: datetime, now: datetime) -> list[Deploy]:
    """The newest first, with what their runs came to since `start`."""
    known = list(CodeVersion.objects.order_by("-first_at")[: SHOWN + 1])
    tallies = rollups.each(Facet.VERSION, start, now, rollups.tail(now))
    taking = WorkerSession.objects.filter(state=SessionState.ALIVE, draining=False)
    newest = taking.exclude(version="").order_by("-version_at", "-id")
    running = list(newest.values_list("version", flat=True))
    pinned = dict(
        Ready.objects.filter(pin__gt="").order_by().values_list("pin").annotate(Count("run_id"))
    )
    return [
        Deploy(
            version=version,
            tasks=len(json.loads(version.tasks)),
            changes=None if before is None else changes(before, version),
            tally=tallies.get(version.name, Tally()),
            before=None if before is None else tallies.get(before.name, Tally()).failure_rate,
            clusters=running.count(version.name),
            pinned=pinned.get(version.name, 0),
            is_current=bool(running) and running[0] == version.name,
        )
        for version, before in _with_before(known)
    ][:SHOWN]


def changes(before: CodeVersion, after: CodeVersion) -> Changes:
    old, new = json.loads(before.tasks), json.loads(after.tasks)
    return Changes(
        added=sorted(new.keys() - old.keys()),
        removed=sorted(old.keys() - new.keys()),
        changed=sorted(task_id for task_id in new.keys() & old.keys() if new[task_id] != old[task_id]),
    )  # fmt: skip


def _with_before(known: list[CodeVersion]) -> Iterator[tuple[CodeVersion, CodeVersion | None]]:
    yield from pairwise(known)
    if known:
        yield known[-1], None
