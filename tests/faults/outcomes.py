"""What became of a scene, comparable between scenes; and what must hold once everything has settled."""

from collections import defaultdict
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from runs import lifecycle
from runs.lifecycle import attempts, mending, sessions, store
from runs.models import (
    Attempt,
    Batch,
    Bucket,
    Event,
    EventKind,
    Idempotency,
    Lease,
    Queue,
    Ready,
    Run,
    ScheduleTick,
    Waiter,
    Waitpoint,
    WorkerSession,
)
from runs.states import FINAL, OPEN, TRANSITIONS, RunStatus
from tests.faults.scenes import PAST, Scene
from tests.support.invariants import ENDS

FAR = timedelta(minutes=30)
#: Told of a run without moving it, by who does not hold it: may stand between any two others.
BESIDE = {EventKind.REPLAYED.value}


def seen(it: Scene) -> str:
    """What is committed of the scene, by name, without ids and times; what was there before is left out."""
    runs = list(Run.objects.order_by("id").light())
    names = {run.pk: it.named(run.pk) for run in runs}
    kinds: dict[str, list[str]] = defaultdict(list)
    for run_id, kind in Event.objects.order_by("id").values_list("run_id", "kind"):
        kinds[names.get(run_id, "gone")].append(kind)
    runs.sort(key=lambda run: names[run.pk] if names[run.pk].startswith("new") else "")
    found = [f"{names[run.pk]} {told(run, kinds[names[run.pk]])}" for run in runs]
    soon = timezone.now() + FAR
    listed = {
        "tried": [
            f"{names[one]} {number} {status}"
            for one, number, status in Attempt.objects.values_list("run_id", "number", "status")
        ],
        "leased": [names[one] for one in Lease.objects.values_list("run_id", flat=True)],
        "ready": [
            f"{names[one]} {place(due, soon)}"
            for one, due in Ready.objects.values_list("run_id", "not_before")
        ],
        "waiters": [names[one] for one in Waiter.objects.values_list("run_id", flat=True)],
        "keys": [it.named(one) for one in Idempotency.objects.values_list("run_id", flat=True)],
        **others(it),
    }
    found += [f"{name}: {', '.join(sorted(those))}" for name, those in listed.items() if those]
    return "; ".join(found)


def told(run: Run, kinds: list[str]) -> str:
    asked = " to stop" if run.cancel_requested_at and run.status not in FINAL else ""
    uncounted = f" -{run.uncounted_attempts}" if run.uncounted_attempts else ""
    moves = [kind for kind in kinds if kind not in BESIDE]
    notes = sorted(kind for kind in kinds if kind in BESIDE)
    return f"{run.status}{asked}{uncounted} in {run.queue} ({' '.join(moves + notes)})"


def others(it: Scene) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    if it.token:
        found["token"] = [Waitpoint.objects.get(pk=it.token).status]
    if it.schedule:
        found["ticks"] = list(ScheduleTick.objects.values_list("outcome", flat=True))
    if it.batch and Batch.objects.get(pk=it.batch).seals_by is None:
        found["batch"] = ["sealed"]
    return found


def place(due: Any, soon: Any) -> str:
    return "now" if due is None else "later" if due > soon else "due"


#: What changes with every transition, in one cheap look.
DIGEST = "SELECT " + ", ".join(
    [
        *(f"(SELECT count(*) FROM runs_{table})" for table in
          ["event", "attempt", "ready", "lease", "waiter", "idempotency", "journal", "scheduletick", "auditlog", "failure", "runtag", "batch"]),
        "(SELECT {join}(status, ',') FROM (SELECT status FROM runs_run ORDER BY id) r)",
        "(SELECT {join}(token, ',') FROM (SELECT token FROM runs_lease ORDER BY run_id) l)",
        "(SELECT {join}(status, ',') FROM (SELECT status FROM runs_waitpoint ORDER BY id) w)",
        "(SELECT {join}(state, ',') FROM (SELECT state FROM runs_workersession ORDER BY id) s)",
        "(SELECT count(*) FROM runs_ready WHERE not_before IS NULL)",
    ]
)  # fmt: skip


def digest() -> tuple[Any, ...]:
    join = "string_agg" if connection.vendor == "postgresql" else "group_concat"
    with connection.cursor() as cursor:
        cursor.execute(DIGEST.replace("{join}", join))
        return tuple(cursor.fetchone())


# Afterwards


_settled: set[str] = set()


def judge(it: Scene, found: str) -> None:
    """An outcome nobody has seen yet has to settle within the promises."""
    if found not in _settled:
        settle(it)
        check(it)
        _settled.add(found)


def settle(it: Scene) -> None:
    """What a living cluster does until nothing is left to do; nobody of the scene comes back."""
    Queue.objects.filter(name="mail").update(paused=False, override_limit=None, full=False)
    Bucket.objects.filter(full=True).update(full=False)
    past = timezone.now() + PAST
    WorkerSession.objects.filter(pk__in=[it.by.pk, it.other.pk]).update(expires_at=past)
    Waitpoint.objects.filter(status="WAITING").update(timeout_at=past)
    lifecycle.cancel_due()
    lifecycle.fire_due()
    lifecycle.unpark(["late"], "1")
    while sessions.reap():
        pass
    lifecycle.time_out_due()
    for _ in range(12):
        Ready.objects.filter(not_before__isnull=False).update(not_before=past)
        lifecycle.promote_due()
        if not work(it):
            break
    assert not mending.mend_waiting().run_ids, "the net below the engine had to catch a run"


def work(it: Scene) -> int:
    claims = store.current().claim(it.third.pk, 4)
    for claim in claims:
        if store.current().start(claim.run_id, claim.token, 9):
            store.current().finish(attempts.complete(claim.run_id, claim.token, "1"))
    return len(claims)


def check(it: Scene) -> None:
    """The promises, of everything there is."""
    left = list(Run.objects.filter(status__in=OPEN).values_list("pk", "status"))
    assert not left, f"stuck: {[(it.named(pk), status) for pk, status in left]}"
    for model in (Lease, Ready, Waiter):
        assert not model.objects.exists(), f"{model.__name__} left behind"
    assert not Event.objects.filter(kind=EventKind.REPAIRED).exists(), "repaired"
    legal(it)
    whole_attempts()


def legal(it: Scene) -> None:
    """One end each, and every event where the table of the states allows it."""
    known = dict(Run.objects.values_list("pk", "status"))
    told: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for run_id, kind, status in Event.objects.order_by("id").values_list(
        "run_id", "kind", "status"
    ):
        told[run_id].append((kind, status))
    for run_id, status in known.items():
        ends = [(kind, at) for kind, at in told[run_id] if kind in ENDS]
        assert [at for _, at in ends] == [status], f"{it.named(run_id)} {status}: {told[run_id]}"
        at = None
        for kind, to in told[run_id]:
            if kind in BESIDE:
                continue
            moves = at is not None and to != at
            assert not moves or RunStatus(to) in TRANSITIONS[RunStatus(at)], (at, to, kind)
            at = to


def whole_attempts() -> None:
    numbers: dict[str, list[int]] = defaultdict(list)
    for run_id, number in Attempt.objects.order_by("number").values_list("run_id", "number"):
        numbers[run_id].append(number)
    for run in Run.objects.light():
        wanted = list(range(1, run.attempt_number + 1))
        assert numbers[run.pk] == wanted, (run.status, numbers[run.pk], wanted)


#: Emptied between scenes, those that point to others first; what all scenes share stays.
TABLES = [
    "event",
    "attempt",
    "ready",
    "lease",
    "waiter",
    "waitpoint",
    "idempotency",
    "batch",
    "scheduletick",
    "schedule",
    "finalhooks",
    "failure",
    "journal",
    "runtag",
    "debounced",
    "pendingcancel",
    "run",
    "workersession",
]


def emptied() -> None:
    with connection.cursor() as cursor:
        deletes = [f"DELETE FROM runs_{table}" for table in TABLES]
        deletes.append(
            'UPDATE runs_queue SET paused = false, override_limit = NULL, "full" = false'
        )
        # of two queues that nobody was served from, "mail" has its turn
        first = "(SELECT id FROM runs_queue WHERE name = 'mail')"
        deletes.append(
            'UPDATE runs_bucket SET "full" = false, '
            f"served = CASE WHEN queue_id = {first} THEN -1 ELSE 0 END"
        )
        if connection.vendor == "postgresql":
            cursor.execute(
                "BEGIN; SET LOCAL session_replication_role = replica; "
                + "; ".join(deletes)
                + "; COMMIT"
            )
        else:
            with transaction.atomic():
                for one in deletes:
                    cursor.execute(one)
