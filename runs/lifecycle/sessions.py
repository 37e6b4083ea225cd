"""The lives of clusters: open, renew, close, and taking back what a lost one held."""

import json
import os
import socket
import time
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.db.models import FloatField, Func, Q, Value
from django.db.models.functions import Now
from django.utils import timezone

from runs import conf, signals
from runs.ids import new_id
from runs.lifecycle import attempts, fleet, store, versions
from runs.lifecycle.canceling import cancel_orphans
from runs.lifecycle.transition import skip_locked
from runs.machines import BOUNDLESS, Capacity, weights
from runs.models import Lease, Order, SessionState, WorkerSession

STOPPED = "Its cluster stopped."


class Clock(Now):
    """The database's clock at this very moment; `now()` stands still inside a transaction."""

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="CLOCK_TIMESTAMP()", **context)


class Ahead(Func):
    """Seconds by which a moment is ahead of PostgreSQL's clock."""

    template = "(%(expressions)s::double precision - extract(epoch FROM clock_timestamp()))"
    output_field = FloatField()


def boot_id() -> str:
    """Identifies this boot of this machine, and after a colon the namespace of process ids."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return socket.gethostname()


def open_session(
    cluster: str,
    *,
    slots: int,
    version: str,
    pid: int,
    after: str = "",
    capacity: Capacity = BOUNDLESS,
) -> WorkerSession:
    """Register a cluster that is about to claim; `after` is its session that was declared lost."""
    now = timezone.now()
    before = WorkerSession.objects.filter(pk=after).first() if after else None
    session = WorkerSession.objects.create(
        id=new_id("worker"),
        cluster=cluster,
        host=socket.gethostname(),
        boot_id=boot_id(),
        pid=pid,
        slots=slots,
        version=version,
        version_at=before.version_at if before else fleet.since(version, now),
        tasks=before.tasks if before else "",
        lacking=before.lacking if before else fleet.listed(fleet.paused()),
        capacity_cpu=capacity.cpu,
        capacity_memory=capacity.memory,
        weights=json.dumps(weights()),
        tight=capacity.tight,
        weighing=capacity.tight,
        started_at=now,
        **_beat(),  # from its first moment: without a lease another cluster would take it for lost
        **_told(before),
    )
    session.refresh_from_db(fields=list(_beat()))
    return session


def _told(before: WorkerSession | None) -> dict[str, Any]:
    """What a person told the cluster holds for its next session too."""
    if before is None or before.ordered != Order.DRAIN:
        return {}
    by, at = before.ordered_by, before.ordered_at
    return {"draining": True, "ordered": before.ordered, "ordered_by": by, "ordered_at": at}


def renew(session_id: str, **facts: Any) -> bool:
    """One heartbeat. Late is fine while the session is ALIVE; False means it was reaped: stop."""
    alive = WorkerSession.objects.filter(pk=session_id, state=SessionState.ALIVE)
    return bool(alive.update(**_beat(), **facts))


def _beat() -> dict[str, Any]:
    """A sign of life, by the database's clock."""
    lease = timedelta(seconds=conf.get("LEASE_SECONDS"))
    beat: dict[str, Any] = {"heartbeat_at": Clock(), "expires_at": Clock() + lease}
    if connection.vendor == "postgresql":
        beat["clock_ahead"] = Ahead(Value(time.time()))
    return beat


def drain(session_id: str) -> None:
    """The cluster takes nothing more: what is kept for its version goes where it may go on."""
    WorkerSession.objects.filter(pk=session_id).update(draining=True)
    versions.release_pins()


def close(session_id: str, reason: str = STOPPED) -> int:
    """The cluster stops in order: hand back what it still holds. Returns how many runs."""
    WorkerSession.objects.filter(pk=session_id, state=SessionState.ALIVE).update(
        state=SessionState.GONE, stopped_at=timezone.now(), workers="[]"
    )
    leases = list(Lease.objects.filter(session_id=session_id))
    released = sum(_release(lease, reason) for lease in leases)
    if released:
        signals.runs_ready.send(sender=WorkerSession)
    versions.release_pins()
    return released


def _release(lease: Lease, reason: str) -> bool:
    ending = attempts.release(
        lease.run_id, lease.token, reason, started=lease.started_at is not None
    )
    return _finish(ending)


def _finish(ending: store.Ending) -> bool:
    """End an attempt whose process is gone; whether we were the ones to do it."""
    won = store.current().finish(ending).won
    cancel_orphans(ending.run_id)
    return won


def reap(*, expired: bool = True) -> int:
    """Declare lost sessions DEAD and take back their runs. Returns how many runs.

    Lost is a session of this machine whose process is gone, and, with `expired`, one whose
    heartbeat ran out.

    Safe from any number of clusters at once. Sessions that died earlier are swept again: a worker
    of theirs may have inherited a lease in the moment it was reaped.
    """
    with transaction.atomic():
        lost = Q(pk__in=_dead_here())
        if expired:
            lost |= Q(expires_at__lt=Clock())
        alive = WorkerSession.objects.filter(lost, state=SessionState.ALIVE)
        ids = [session.pk for session in alive.select_for_update(**skip_locked())[:20]]
        WorkerSession.objects.filter(pk__in=ids).update(
            state=SessionState.DEAD, stopped_at=timezone.now(), workers="[]"
        )
    orphans = Lease.objects.exclude(
        session_id__in=WorkerSession.objects.filter(state=SessionState.ALIVE).values("pk")
    )
    taken = 0
    for lease in orphans[:1000]:
        taken += _take_back(lease)
    if taken:
        signals.runs_ready.send(sender=WorkerSession)
    return taken


def _take_back(lease: Lease) -> bool:
    """One orphan. A cluster that stopped in order has lost nothing: its run is handed back.

    Under a token of our own, so that a late answer of its worker learns that it was fenced.
    """
    token, theirs = str(uuid.uuid4()), lease.token
    if not Lease.objects.filter(run_id=lease.run_id, token=theirs).update(token=token):
        return False
    lease.token = token
    if WorkerSession.objects.filter(pk=lease.session_id, state=SessionState.GONE).exists():
        return _release(lease, STOPPED)
    won = _finish(attempts.lose(lease))
    if won and lease.started_at is not None:
        signals.run_lost.send(sender=Lease, run_id=lease.run_id)
    return won


def _dead_here() -> list[str]:
    """Sessions of this machine whose process is certainly gone: no need to wait for their lease."""
    here = WorkerSession.objects.filter(state=SessionState.ALIVE, host=socket.gethostname())
    return [session.pk for session in here if _is_certainly_dead(session)]


def _is_certainly_dead(session: WorkerSession) -> bool:
    """By its process id, where that means the same to us.

    With a database server two machines or containers may share a name, so only a session of our
    own boot and process namespace can be judged. An SQLite file has one kernel: another boot of it
    has ended.
    """
    (boot, _, processes), (ours, _, here) = (
        text.partition(":") for text in (session.boot_id, boot_id())
    )
    if boot != ours:
        return connection.vendor == "sqlite"
    return processes == here and not _is_running(session.pid)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def database_time() -> float:
    """Seconds since 1970 by PostgreSQL's clock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        return float(cursor.fetchone()[0])


def database_age() -> float | None:
    """Seconds since the database server started; None where there is no server."""
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())")
        row = cursor.fetchone()
    return float(row[0]) if row else None
