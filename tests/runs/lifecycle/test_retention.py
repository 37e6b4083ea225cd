from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs import lifecycle
from runs.ids import new_id
from runs.lifecycle import TriggerItem, batches, retention, tokens
from runs.models import (
    Attempt,
    Batch,
    Event,
    FinalHooks,
    Idempotency,
    Journal,
    LogLine,
    Run,
    RunTag,
    ScheduleTick,
    Source,
    TickOutcome,
    Waitpoint,
)
from runs.states import EntryKind, EntryStatus, RunStatus
from tests.support import factories
from tests.support.schedules import schedule as make_schedule

pytestmark = pytest.mark.django_db
S = RunStatus


@pytest.fixture
def later():
    """A moment after everything a test makes."""
    return timezone.now() + timedelta(days=1)


def pruned(before):
    count, place = 0, ""
    while True:
        part = lifecycle.prune_runs(before, place, retention.looked_at())
        count, place = count + part.gone, part.before
        if not place:
            return count


def line(run_id, count=1):
    now = timezone.now()
    LogLine.objects.bulk_create(
        LogLine(run_id=run_id, attempt=1, level=20, logger="root", message="x", at=now)
        for _ in range(count)
    )


def test_an_old_run_goes_with_everything_that_hangs_on_it(later):
    run = factories.ended_run(tags=("a", "b"), idempotency_key="k", idempotency_ttl=0.001)
    line(run.pk, 3)
    entry(run.pk)
    made = tokens.create(run_id=run.pk)[0]
    tokens.complete(made.pk, None, by="url")
    assert pruned(later) == 1
    for model in (Run, Attempt, Event, LogLine, RunTag, Journal, Idempotency, Waitpoint):
        assert not model.objects.exists(), model


def entry(run_id, target=None, kind=EntryKind.STEP):
    now = timezone.now()
    Journal.objects.create(
        run_id=run_id, kind=kind, name="s", ordinal=1, attempt=1, position=1,
        status=EntryStatus.DONE, target=target, started_at=now,
    )  # fmt: skip


def test_a_run_that_ended_lately_stays():
    run = factories.ended_run()
    assert pruned(run.finished_at) == 0
    assert pruned(run.finished_at + timedelta(seconds=1)) == 1


@pytest.mark.parametrize("status", sorted(S))
def test_only_what_has_ended_goes(status, later):
    run = factories.run_in(status)
    FinalHooks.objects.all().delete()
    assert pruned(later) == (1 if run.is_final else 0)


def test_a_family_goes_from_the_children_up(later):
    root = factories.ended_run()
    child = factories.ended_run(parent_id=root.pk)
    grandchild = factories.ended_run(parent_id=child.pk)
    assert pruned(later) == 3
    assert not Run.objects.filter(pk__in=[root.pk, child.pk, grandchild.pk]).exists()


def test_ancestors_of_an_open_run_stay(later):
    root = factories.ended_run()
    child = factories.ended_run(parent_id=root.pk)
    factories.queued_run(parent_id=child.pk)
    assert pruned(later) == 0


def test_children_of_an_open_run_stay(later):
    parent = factories.executing_run()
    child = factories.queued_run(parent_id=parent.run_id)
    lifecycle.cancel(child.pk, actor="user:ada")
    assert pruned(later) == 0
    factories.complete(parent)
    assert pruned(later) == 2


def test_what_an_open_run_looked_at_stays(later):
    seen = factories.ended_run()
    reader = factories.executing_run()
    entry(reader.run_id, seen.pk, EntryKind.FOR)
    assert pruned(later) == 0
    factories.complete(reader)
    assert pruned(later) == 2


def test_members_of_an_open_batch_stay(later):
    factories.task()
    made = batches.trigger([TriggerItem(task_id="send")] * 2, new_id("batch"), source=Source.SDK)
    (held,) = factories.claim(factories.session())
    factories.start(held)
    factories.complete(held)
    assert pruned(later) == 0
    assert lifecycle.prune_batches(later) == 0
    lifecycle.cancel(made.runs[1].run_id, actor="user:ada")
    assert pruned(later) == 2
    assert lifecycle.prune_batches(made_at(made)) == 0
    assert lifecycle.prune_batches(later) == 1


def made_at(made):
    return Batch.objects.get(pk=made.batch_id).created_at


def test_a_run_whose_key_holds_stays(later):
    factories.ended_run(idempotency_key="k")
    assert pruned(later) == 0
    Run.objects.update(idempotency_expires_at=timezone.now())
    assert pruned(later) == 1


def test_a_run_that_is_owed_its_final_hooks_stays(later):
    factories.task(failure_hooks=True)
    factories.ended_run(S.FAILED)
    FinalHooks.objects.get()
    assert pruned(later) == 0


def test_a_run_with_many_lines_goes_in_steps(later, monkeypatch):
    monkeypatch.setattr(retention, "LINES", 2)
    run = factories.ended_run()
    line(run.pk, 5)
    line("run_other", 1)
    with CaptureQueriesContext(connection) as captured:
        assert pruned(later) == 1
    steps = [one for one in captured if 'DELETE FROM "runs_logline"' in one["sql"]]
    assert len(steps) == 3 + 1  # and what came meanwhile
    assert LogLine.objects.get().run_id == "run_other"


def test_it_looks_at_some_of_them_in_each_turn(later, monkeypatch):
    monkeypatch.setattr(retention, "RUNS", 2)
    runs = [factories.ended_run() for _ in range(3)]
    first = lifecycle.prune_runs(later)
    assert (first.gone, first.before) == (2, runs[1].pk)
    assert lifecycle.prune_runs(later, first.before) == (1, "")


def test_keys_that_hold_no_more_go():
    factories.task()
    for key, ttl in (("old", 0.000001), ("new", 60)):
        factories.trigger(idempotency_key=key, idempotency_ttl=ttl)
    assert lifecycle.prune_keys() == 1
    assert Idempotency.objects.count() == 1


def tick(schedule, days, outcome=TickOutcome.FIRED):
    at = timezone.now() - timedelta(days=days)
    return ScheduleTick.objects.create(
        schedule=schedule, at=at, until=at, outcome=outcome, recorded_at=at
    )


def test_old_ticks_go_but_the_last_and_what_still_waits(monkeypatch):
    often, seldom = make_schedule(), make_schedule()
    kept = [
        tick(often, 1),
        tick(often, 50, TickOutcome.HELD),
        tick(seldom, 60),
    ]
    for days in (40, 41, 42):
        tick(often, days)
    tick(seldom, 90)
    cutoff = timezone.now() - timedelta(days=30)
    monkeypatch.setattr(retention, "BATCH", 3)
    assert [lifecycle.prune_ticks(cutoff) for _ in range(3)] == [3, 1, 0]
    assert set(ScheduleTick.objects.values_list("pk", flat=True)) == {one.pk for one in kept}


def test_a_replay_of_a_removed_run_stays(later):
    run = factories.ended_run()
    replay = lifecycle.replay(run.pk, actor="user:ada").run_id
    assert pruned(later) == 1
    assert Run.objects.get().pk == replay
