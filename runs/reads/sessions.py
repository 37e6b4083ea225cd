"""Which clusters live, and how sure we are."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, QuerySet

from runs import conf
from runs.models import Lease, SessionState, WorkerSession

MISSED_BEATS = 2
SHOWN_RUNS = 10


@dataclass(frozen=True, slots=True)
class Slot:
    """What one worker process did at its session's last heartbeat."""

    number: int
    pid: int
    state: str
    run_id: str
    since: str
    #: Bytes its process has for itself.
    memory: int = 0
    #: Of the process that runs of async tasks share: how many it has room for, and which are there.
    seats: int = 0
    runs: tuple[str, ...] = ()

    @property
    def shown(self) -> tuple[str, ...]:
        """The runs a page names."""
        return self.runs[:SHOWN_RUNS]


def alive(now: datetime) -> QuerySet[WorkerSession]:
    """Sessions whose lease has not run out."""
    return WorkerSession.objects.filter(state=SessionState.ALIVE, expires_at__gt=now)


def living() -> QuerySet[WorkerSession]:
    """Sessions nobody has declared lost."""
    return WorkerSession.objects.filter(state=SessionState.ALIVE)


def recent(now: datetime) -> QuerySet[WorkerSession]:
    """Living sessions, and those that ended in the last day."""
    ended = WorkerSession.objects.filter(heartbeat_at__gte=now - timedelta(days=1))
    return (living() | ended).order_by("-heartbeat_at")


def is_stale(session: WorkerSession, now: datetime) -> bool:
    """Alive by the record, but silent for two heartbeats."""
    silence = (now - session.heartbeat_at).total_seconds()
    late = silence > MISSED_BEATS * conf.get("HEARTBEAT_SECONDS")
    return session.state == SessionState.ALIVE and late


def slots(session: WorkerSession) -> list[Slot]:
    """The worker processes of `session`."""
    return [
        Slot(
            number=entry.get("slot", 0),
            pid=entry.get("pid", 0),
            state=str(entry.get("state", "")),
            run_id=entry.get("run_id") or "",
            since=entry.get("since") or "",
            memory=entry.get("memory") or 0,
            seats=entry.get("seats", 0),
            runs=tuple(entry.get("runs", ())),
        )
        for entry in json.loads(session.workers)
    ]


def held(sessions: Iterable[WorkerSession]) -> dict[str, int]:
    """Leases each session holds now."""
    ids = [session.id for session in sessions]
    rows = Lease.objects.filter(session_id__in=ids).order_by().values_list("session_id")
    return dict(rows.annotate(Count("run_id")))
