"""A database full of believable runs, to look at and to measure.

    python -m tests.support.seed 3000
    python -m tests.support.seed 1000000 bare    # runs and tags only

Rows are inserted directly: they show every state, also those only a cluster can reach.
"""

import json
import os
import random
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    django.setup()

from django.db import transaction
from django.utils import timezone

from runs.ids import RANDOM_BITS, encode, new_id
from runs.models import (
    Attempt,
    Bucket,
    Event,
    Lease,
    LogLine,
    Queue,
    QueueKind,
    Ready,
    Run,
    RunTag,
    SessionState,
    Task,
    WorkerSession,
)
from runs.reads.windows import EPOCH, MILLISECOND
from runs.states import FINAL, LEASED, RunStatus

S = RunStatus
TASKS = {
    "send-invoice": "Renders an invoice and mails it.",
    "resize-image": "Makes thumbnails of an upload.",
    "sync-customer": "Copies a customer to the CRM.",
    "nightly-report": "Sums up the day.",
    "billing/charge-card": "Charges a card.",
    "import-orders-from-the-old-shop-system": "Once a week.",
}
WEIGHTS = {
    S.COMPLETED: 80, S.FAILED: 7, S.CANCELED: 3, S.TIMED_OUT: 1, S.CRASHED: 1, S.EXPIRED: 1,
    S.SYSTEM_FAILURE: 1, S.QUEUED: 3, S.DELAYED: 1, S.EXECUTING: 0, S.PENDING_VERSION: 1,
}  # fmt: skip
SCHEMA = {
    "type": "object",
    "required": ["invoice_id", "customer"],
    "properties": {
        "invoice_id": {"type": "integer", "minimum": 1, "description": "As in the shop."},
        "customer": {"$ref": "#/$defs/Customer"},
        "send_at": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
        "mode": {"enum": ["mail", "post"], "default": "mail"},
    },
    "$defs": {
        "Customer": {
            "type": "object",
            "required": ["email"],
            "properties": {"email": {"type": "string", "format": "email"}},
        }
    },
}
STACK = """Traceback (most recent call last):
  File "/srv/app/.venv/lib/python3.11/site-packages/requests/sessions.py", line 703, in send
    r = adapter.send(request, **kwargs)
  File "/srv/app/tasks/invoices.py", line 41, in send_invoice
    response = mail(invoice, to=customer["email"])
  File "/srv/app/tasks/mailing.py", line 18, in mail
    raise DeliveryError(f"mailbox of {to} is full")
tasks.mailing.DeliveryError: mailbox of ada@example.com is full
"""
ERROR = json.dumps(
    {
        "name": "DeliveryError",
        "message": "mailbox of ada@example.com is full\nSMTP 552 5.2.2",
        "stack_trace": STACK,
        "causes": [{"name": "ConnectionResetError", "message": "[Errno 104] reset by peer"}],
    }
)


def seed(
    count: int, *, days: float = 14, bare: bool = False, chosen: random.Random | None = None
) -> None:
    """`count` runs over the last `days`, newest now, with tasks, queues and workers."""
    chosen = chosen or random.Random(7)
    now = timezone.now()
    buckets = _definitions(now)
    session = _workers(now)
    # denser towards now
    moments = (now - timedelta(days=days) * (1 - index / count) ** 3 for index in range(count))
    makers = (_run(moment, now, chosen) for moment in moments)
    while chunk := list(islice(makers, 2000)):
        with transaction.atomic():
            _store_runs(chunk)
            if not bare:
                _store(chunk, buckets, session, chosen)


def _definitions(now: datetime) -> dict[str, int]:
    for name, about in TASKS.items():
        Task.objects.update_or_create(
            id=name,
            defaults={
                "description": about,
                "file_path": f"tasks/{name.partition('/')[0].replace('-', '_')}.py",
                "queue": f"task/{name}",
                "schema": json.dumps(SCHEMA) if name == "send-invoice" else "",
                "registered_at": now,
            },
        )
    Task.objects.update_or_create(
        id="broken-import",
        defaults={
            "file_path": "tasks/broken.py",
            "queue": "task/broken-import",
            "broken": True,
            "error": 'Traceback (most recent call last):\n  File "tasks/broken.py", line 1\n'
            "ModuleNotFoundError: No module named 'nowhere'",
            "registered_at": now,
        },
    )
    names = [*(f"task/{name}" for name in [*TASKS, "broken-import"]), "one-at-a-time", "bulk"]
    for name in names:
        kind = QueueKind.TASK if name.startswith("task/") else QueueKind.CUSTOM
        Queue.objects.get_or_create(name=name, defaults={"kind": kind})
    Queue.objects.filter(name="one-at-a-time").update(concurrency_limit=1)
    Queue.objects.filter(name="task/resize-image").update(
        concurrency_limit=10, override_limit=2, overridden_by="user:ada",
        override_reason="the image server is slow today", overridden_at=now,
        override_expires_at=now + timedelta(hours=2),
    )  # fmt: skip
    Queue.objects.filter(name="bulk").update(
        paused=True, paused_by="user:ada", paused_at=now - timedelta(minutes=40),
        paused_reason="waiting for the new disk",
    )  # fmt: skip
    return {
        queue.name: Bucket.objects.get_or_create(queue=queue, key_hash="")[0].pk
        for queue in Queue.objects.all()
    }


def _workers(now: datetime) -> WorkerSession:
    made = []
    for host, state, silence in (
        ("worker-1", SessionState.ALIVE, 3),
        ("worker-2", SessionState.ALIVE, 70),
        ("worker-3", SessionState.DEAD, 3000),
        ("worker-4", SessionState.GONE, 9000),
    ):
        beat = now - timedelta(seconds=silence)
        made.append(
            WorkerSession.objects.create(
                id=new_id("session"),
                cluster="trackside",
                host=host,
                boot_id="boot",
                pid=4711,
                state=state,
                slots=4,
                version="9f31c2a",
                started_at=now - timedelta(hours=5),
                heartbeat_at=beat,
                expires_at=beat + timedelta(seconds=60),
            )
        )
    return made[0]


def _run(created: datetime, now: datetime, chosen: random.Random) -> Run:
    age = (now - created).total_seconds()
    status = chosen.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    if age < 120 and status in FINAL and chosen.random() < 0.5:
        status = S.EXECUTING
    elif age > 7200 and status not in FINAL:
        status = S.COMPLETED
    task = chosen.choice(list(TASKS))
    queue = "one-at-a-time" if task == "billing/charge-card" else f"task/{task}"
    if status == S.QUEUED and chosen.random() < 0.3:
        queue = "bulk"
    started = created + timedelta(seconds=chosen.expovariate(2))
    finished = started + timedelta(seconds=chosen.expovariate(0.3))
    ran = status in LEASED or (status in FINAL and status != S.EXPIRED)
    attempts = 0 if not ran else 3 if status == S.FAILED else chosen.choice([1, 1, 1, 1, 2])
    milliseconds = (created - EPOCH) // MILLISECOND
    return Run(
        id=f"run_{encode(milliseconds << RANDOM_BITS | chosen.getrandbits(RANDOM_BITS))}",
        task_id=task, status=status, queue=queue, sort_key=milliseconds * 1000,
        payload=json.dumps({"invoice_id": chosen.randrange(10**6), "customer": {"email": "ada@example.com"}}),
        output='{"sent": true, "took": 0.25}' if status == S.COMPLETED else None,
        error=ERROR if status == S.FAILED else None,
        tags=json.dumps(sorted({f"customer_{chosen.randrange(40)}", chosen.choice(["eu", "us"])})),
        reason="Waiting for version 9f31c2b." if status == S.PENDING_VERSION else "",
        attempt_number=attempts, max_attempts=3, machine="small-1x", version="9f31c2a",
        source="sdk", created_at=created, queued_at=created, updated_at=created,
        delay_until=now + timedelta(hours=2) if status == S.DELAYED else None,
        started_at=started if ran else None, executed_at=started if ran else None,
        finished_at=finished if status in FINAL else None, is_test=chosen.random() < 0.03,
        usage_ms=int((finished - started).total_seconds() * 1000) if ran else 0,
    )  # fmt: skip


def _store_runs(runs: list[Run]) -> None:
    Run.objects.bulk_create(runs)
    RunTag.objects.bulk_create(
        RunTag(tag=tag, run_id=run.id) for run in runs for tag in run.tag_list
    )


def _store(
    runs: list[Run], buckets: dict[str, int], session: WorkerSession, chosen: random.Random
) -> None:
    Attempt.objects.bulk_create(attempt for run in runs for attempt in _attempts(run, session))
    Event.objects.bulk_create(event for run in runs for event in _events(run))
    LogLine.objects.bulk_create(line for run in runs for line in _lines(run, chosen))
    Ready.objects.bulk_create(
        Ready(run_id=run.id, bucket_id=buckets[run.queue], sort_key=run.sort_key,
              not_before=run.delay_until)
        for run in runs if run.status in (S.QUEUED, S.DELAYED)
    )  # fmt: skip
    queues = dict(Queue.objects.values_list("name", "pk"))
    Lease.objects.bulk_create(
        Lease(run_id=run.id, bucket_id=buckets[run.queue], queue_id=queues[run.queue],
              session_id=session.id, attempt=run.attempt_number, token="seed",
              claimed_at=run.created_at, pid=4712,
              started_at=run.started_at if run.status == S.EXECUTING else None)
        for run in runs if run.status in LEASED
    )  # fmt: skip


def _attempts(run: Run, session: WorkerSession) -> Iterator[Attempt]:
    outcome = {S.COMPLETED: "COMPLETED", S.CRASHED: "CRASHED", S.TIMED_OUT: "TIMED_OUT",
               S.CANCELED: "CANCELED"}  # fmt: skip
    for number in range(1, run.attempt_number + (run.status != S.EXECUTING)):
        last = number == run.attempt_number
        status = outcome.get(S(run.status), "FAILED") if last else "FAILED"
        start = run.started_at or run.created_at
        yield Attempt(
            run_id=run.id, number=number, status=status, session_id=session.id, pid=4712,
            started_at=start, error=ERROR if status == "FAILED" else None,
            finished_at=run.finished_at or start,
        )  # fmt: skip


def _events(run: Run) -> Iterator[Event]:
    yield Event(run_id=run.id, kind="triggered", status=S.QUEUED, at=run.created_at)
    if run.started_at:
        yield Event(run_id=run.id, kind="started", status=S.EXECUTING, attempt=1, at=run.started_at)
    if run.finished_at:
        kind = {S.SYSTEM_FAILURE: "system_failed"}.get(S(run.status), run.status.lower())
        yield Event(run_id=run.id, kind=kind, status=run.status, attempt=run.attempt_number,
                    at=run.finished_at)  # fmt: skip


def _lines(run: Run, chosen: random.Random) -> Iterator[LogLine]:
    if not run.started_at or chosen.random() > 0.2:
        return
    for level, message in ((20, "rendering invoice"), (10, "template invoice.html"),
                           (30, "mailbox is nearly full"), (40, "delivery refused")):  # fmt: skip
        yield LogLine(run_id=run.id, attempt=1, level=level, logger="invoices", message=message,
                      at=run.started_at)  # fmt: skip


if __name__ == "__main__":
    seed(int(sys.argv[1]) if len(sys.argv) > 1 else 3000, bare="bare" in sys.argv)
