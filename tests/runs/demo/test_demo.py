"""The made-up history: legal, harmless, and gone without a trace."""

import json
from collections import Counter
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from runs import tracing
from runs.demo import making
from runs.demo.cast import IDS, PAUSED
from runs.lifecycle import retention
from runs.models import (
    Attempt,
    AuditLog,
    Batch,
    Event,
    Idempotency,
    Journal,
    Lease,
    LogLine,
    Queue,
    Ready,
    Rollup,
    Run,
    RunTag,
    Schedule,
    ScheduleTick,
    Span,
    Task,
    Waiter,
    Waitpoint,
    WorkerSession,
)
from runs.reads import attempts, trace, waits
from runs.states import FINAL, OPEN, RunStatus
from tests.support import factories

pytestmark = pytest.mark.django_db
S = RunStatus


def demo(**options) -> str:
    told = StringIO()
    call_command("demo", stdout=told, stderr=StringIO(), **options)
    return told.getvalue()


def test_every_run_is_as_it_might_have_been():
    said = demo(runs=200, days=1.5, seed=3)
    now, runs = timezone.now(), {str(run.pk): run for run in Run.objects.all()}
    assert f"{len(runs):,} runs over 1.5 days" in said
    assert len(runs) >= 170
    assert {run.task_id for run in runs.values()} <= set(IDS)
    assert {S.COMPLETED, S.FAILED, S.QUEUED, S.DELAYED, S.WAITING, S.PENDING_VERSION} <= {
        S(run.status) for run in runs.values()
    }
    numbers = Counter(Attempt.objects.values_list("run_id", flat=True))
    for run_id, run in runs.items():
        assert (run.finished_at is not None) == (run.status in FINAL)
        assert (
            run.created_at <= (run.started_at or run.created_at) <= (run.finished_at or now) <= now
        )
        assert run.parent_id is None or run.parent_id in runs
        assert numbers[run_id] == run.attempt_number - (run.status in OPEN and bool(run.started_at))
        assert run.status != S.FAILED or json.loads(run.error)["message"] is not None
    assert not set(Event.objects.values_list("run_id", flat=True)) - set(runs)
    tagged = {(run_id, tag) for run_id, run in runs.items() for tag in run.tag_list}
    assert set(RunTag.objects.values_list("run_id", "tag")) == tagged
    can_be_read()
    is_counted()
    is_never_executed()


def can_be_read():
    parent = Run.objects.filter(task_id="shop/fulfil-order", waited_attempt=1).last()
    assert parent is not None
    assert [one.status for one in attempts.of(parent)] == [
        "COMPLETED"
    ] or parent.status != S.COMPLETED
    assert len(attempts.segments(parent.pk)[1]) >= 2
    kinds = {node.kind for node in trace.of(parent, timezone.now()).rows}
    assert {"run", "attempt", "step", "child"} <= kinds
    waiting = Run.objects.filter(status=S.WAITING).last()
    assert waits.of(waiting).tokens[0].is_waiting
    spans = Span.objects.filter(run_id=LogLine.objects.exclude(span_id="").last().run_id)
    assert spans[0].parent_id == tracing.attempt_span_id(spans[0].run_id, spans[0].attempt)


def is_counted():
    told = Rollup.objects.filter(step="h", facet="all")
    ended = sum(row.completed + row.failed for row in told)
    assert ended == Run.objects.filter(status__in=[S.COMPLETED, S.FAILED]).count()


def is_never_executed():
    far = timezone.now() + timedelta(hours=20)
    for place in Ready.objects.all():
        run = Run.objects.get(pk=place.run_id)
        assert run.queue == PAUSED or place.not_before > far
    assert Queue.objects.get(name=PAUSED).paused
    assert not Lease.objects.exists()
    assert not WorkerSession.objects.filter(state="ALIVE").exists()
    assert not Schedule.objects.filter(active=True).exists()


def test_clearing_leaves_everything_else():
    factories.task()
    other = factories.ended_run()
    demo(runs=40, days=0.1)
    demo(runs=60, days=0.1, seed=8, with_queued=5, with_executing=4, with_schedules=True)
    assert Run.objects.filter(status=S.QUEUED).exclude(queue=PAUSED).count() == 5
    assert Lease.objects.count() == Run.objects.filter(status=S.EXECUTING).count() == 4
    assert retention.prune_runs(timezone.now() + timedelta(days=1), kept={other.pk}).gone > 50
    assert "removed" in demo(clear=True)
    assert [run.pk for run in Run.objects.all()] == [other.pk]
    assert [task.pk for task in Task.objects.all()] == ["send"]
    assert {queue.name for queue in Queue.objects.all()} == {"task/send"}
    assert set(Event.objects.values_list("run_id", flat=True)) == {other.pk}
    assert not Rollup.objects.filter(facet="task").exclude(name="send").exists()
    kinds = (Ready, Lease, LogLine, Span, Journal, Waiter, Waitpoint, Batch, Schedule, ScheduleTick)
    assert not [kind for kind in (*kinds, RunTag, Idempotency) if kind.objects.exists()]
    assert not WorkerSession.objects.filter(cluster="demo").exists()
    assert set(
        AuditLog.objects.filter(actor__startswith="cli:").values_list("action", flat=True)
    ) == {
        "demo.make",
        "demo.clear",
    }


def test_clearing_takes_batches_whose_runs_are_gone():
    demo(runs=120, days=0.1)
    other = Batch.objects.create(
        id="batch_other", run_count=1, tasks='["send"]', source="api", created_at=timezone.now()
    )
    assert Batch.objects.exclude(pk=other.pk).exists()
    Run.objects.filter(batch_id__isnull=False).delete()
    demo(clear=True)
    assert [batch.pk for batch in Batch.objects.all()] == [other.pk]


def test_it_does_not_touch_tasks_of_that_name():
    factories.task("shop/refund")
    with pytest.raises(CommandError, match="shop/refund"):
        demo(runs=40)
    with pytest.raises(CommandError, match="shop/refund"):
        demo(clear=True)


def test_production_needs_a_yes(settings):
    settings.TRACKSIDE = settings.TRACKSIDE | {
        "ENVIRONMENT": {"name": "Production", "kind": "prod"}
    }
    with pytest.raises(CommandError, match="--yes"):
        demo(runs=40)
    demo(clear=True, yes=True)


def test_copies_are_whole_families(monkeypatch):
    if connection.vendor != "postgresql":
        pytest.skip("Only PostgreSQL copies.")
    monkeypatch.setattr(making, "FULL", 150)
    demo(runs=600, days=0.2)
    assert 520 <= Run.objects.count() <= 700
    runs = {str(run.pk): run for run in Run.objects.all()}
    numbers = Counter(Attempt.objects.values_list("run_id", flat=True))
    children = [run for run in runs.values() if run.parent_id]
    assert len(children) > 30
    for run in children:
        assert runs[run.parent_id].created_at <= run.created_at
    for run_id, run in runs.items():
        assert run.status in OPEN or numbers[run_id] == run.attempt_number
        assert run.finished_at is None or run.finished_at <= timezone.now()
