"""Trackside with a mistake in it: each is one that the checker is there to see.

Those of the server's functions are put into a campaign's database (`plant`), the others into the
processes of its clusters (`apply`). Where two processes have to meet inside of a moment, the moment is
drawn out.
"""

import socket
from collections.abc import Callable
from typing import Any

#: Function, what stands there, what stands there instead.
Change = tuple[str, str, str]

SQL: dict[str, list[Change]] = {
    "no token": [
        ("trackside_end", "run_id = p_run AND token = p_token", "run_id = p_run"),
        ("trackside_turn", "l.run_id = e.id AND l.token = e.key", "l.run_id = e.id"),
    ],
    "count without lock": [
        (
            "trackside_claim_one",
            "LIMIT 1 FOR NO KEY UPDATE OF b SKIP LOCKED;\n    IF NOT",
            "LIMIT 1;\n    IF NOT",
        ),
        (
            "trackside_claim_one",
            "FOR NO KEY UPDATE SKIP LOCKED;\n      CONTINUE",
            ";\n      CONTINUE",
        ),
        (
            "trackside_claim_one",
            "    v_resumed := false;\n",
            "    PERFORM pg_sleep(0.01); v_resumed := false;\n",
        ),
    ],
    "no lock on what is waited for": [
        ("trackside_hold", " ORDER BY id FOR SHARE", ""),
        (
            "trackside_suspend",
            "v_open := trackside_hold(p_targets);",
            "v_open := trackside_hold(p_targets); PERFORM pg_sleep(0.05);",
        ),
    ],
    "dropped event": [
        (
            "trackside_turn",
            "lower(r.status), r.status, r.finished_at)",
            "lower(r.status), r.status, r.finished_at WHERE random() < 0.95)",
        ),
    ],
    "double release": [
        (
            "trackside_turn",
            "  IF v_ended < cardinality(p_runs) THEN",
            "  DELETE FROM runs_lease WHERE bucket_id = v_buckets[1] AND random() < 0.2;\n"
            "  IF v_ended < cardinality(p_runs) THEN",
        ),
    ],
    "journal overwritten": [
        (
            "trackside_keep",
            "PERFORM 1 FROM runs_lease WHERE run_id = p_run AND token = p_token FOR KEY SHARE",
            "PERFORM 1 FROM runs_run WHERE id = p_run",
        ),
        (
            "trackside_keep",
            "ON CONFLICT DO NOTHING",
            "ON CONFLICT (run_id, kind, name, ordinal, attempt) DO UPDATE SET result = EXCLUDED.result",
        ),
    ],
    "time to live of started runs": [
        ("trackside_take", "expires_at > v_now OR started_at IS NOT NULL", "expires_at > v_now"),
        ("trackside_turn", "expires_at > v_now OR started_at IS NOT NULL", "expires_at > v_now"),
        ("trackside_claim_rest", "expires_at > v_now OR started_at IS NOT NULL", "expires_at > v_now"),
        ("trackside_expire", "AND started_at IS NULL AND expires_at <= v_now", "AND expires_at <= v_now"),
    ],
}  # fmt: skip


def frozen_clock() -> None:
    """A lease by a clock that stood still when its transaction, here its process, began."""
    from datetime import timedelta  # noqa: PLC0415

    from django.utils import timezone  # noqa: PLC0415

    from runs import conf  # noqa: PLC0415
    from runs.lifecycle import sessions  # noqa: PLC0415
    from runs.models import WorkerSession  # noqa: PLC0415

    begun: dict[str, Any] = {}

    def renew(session_id: str, **facts: Any) -> bool:
        until = begun.setdefault(session_id, timezone.now()) + timedelta(
            seconds=conf.get("LEASE_SECONDS")
        )
        alive = WorkerSession.objects.filter(pk=session_id, state="ALIVE")
        return bool(alive.update(heartbeat_at=sessions.Clock(), expires_at=until, **facts))

    sessions.renew = renew


def hasty_reaper() -> None:
    """Gives nodes up right after an outage, when every heartbeat is old."""
    from engine.maintenance import reaper  # noqa: PLC0415
    from runs.lifecycle import sessions  # noqa: PLC0415

    reaper.Reaper.sweep = lambda _: sessions.reap(expired=True)  # type: ignore[method-assign]


def swallowed_refusal() -> None:
    """Writes on, whatever the answer was."""
    from runs.lifecycle.store import STORES  # noqa: PLC0415

    for store in STORES.values():
        refusing = store.record

        def record(self: Any, *args: Any, _refusing: Any = refusing, **options: Any) -> bool:
            _refusing(self, *args, **options)
            return True

        store.record = record  # type: ignore[method-assign]


def unlocked_reaper() -> None:
    """Takes runs back without ending the session they are of."""
    from runs.lifecycle import sessions  # noqa: PLC0415
    from runs.models import Lease, WorkerSession  # noqa: PLC0415

    def reap(*, expired: bool = True) -> int:
        silent = WorkerSession.objects.filter(expires_at__lt=sessions.Clock()).values("pk")
        return sum(map(sessions._take_back, Lease.objects.filter(session_id__in=silent)))

    sessions.reap = reap


def deaf_dispatcher() -> None:
    """Looks when it is told to, and only then; and the link it is told by is dead, which nobody says."""
    from engine import wakeup  # noqa: PLC0415
    from engine.cluster.dispatcher import DispatchBroker  # noqa: PLC0415

    silent, other = socket.socketpair()
    DispatchBroker.pause = lambda *_, **__: 3600.0  # type: ignore[method-assign]
    wakeup.Listener.fileno = lambda _: silent.fileno()  # type: ignore[method-assign]
    SILENT.append(other)


#: The other ends of such links, kept open.
SILENT: list[socket.socket] = []
PYTHON: dict[str, Callable[[], None]] = {
    "frozen clock": frozen_clock,
    "no guard against avalanches": hasty_reaper,
    "refusals swallowed": swallowed_refusal,
    "reaped without lock": unlocked_reaper,
    "woken by words alone": deaf_dispatcher,
}
NAMES = [*SQL, *PYTHON]


def apply(name: str) -> None:
    """In a process of a cluster."""
    if name in PYTHON:
        PYTHON[name]()


def plant(name: str, cursor: Any) -> None:
    """In a database. Says so where the function does not read any more as it was when this was written."""
    for function, there, instead in SQL.get(name, ()):
        cursor.execute("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = %s", [function])
        (text,) = cursor.fetchone()
        if there not in text:
            raise LookupError(f"{function} has no {there!r} any more: mend the mutant {name!r}.")
        cursor.execute(text.replace(there, instead))
