"""Canceling or replaying many runs, some at a time, whoever dies in between."""

import json
from datetime import timedelta
from itertools import pairwise

import pytest
from django.utils import timezone

from runs import lifecycle
from runs.errors import InvalidOption, NotFound
from runs.lifecycle import bulk, bulkreasons
from runs.lifecycle.bulkoptions import BulkOptions
from runs.lifecycle.bulkreasons import Refused
from runs.models import AuditLog, BulkAction, BulkKind, BulkRun, BulkStatus, Event, Run, Source
from runs.reads.runfilter import RunFilter
from runs.states import RunStatus
from tests.support import factories

pytestmark = pytest.mark.django_db
CANCEL, REPLAY = BulkKind.CANCEL, BulkKind.REPLAY


@pytest.fixture(autouse=True)
def _task():
    factories.task("send")


def made(count=1, **options):
    given = lifecycle.TriggerOptions(**options)
    return [
        lifecycle.trigger("send", f"{number}", given, source=Source.API).run_id
        for number in range(count)
    ]


def begun(kind, chosen, **others):
    return bulk.found(lifecycle.begin_bulk(kind, chosen, actor="key:ann", **others).pk)


def finished(action):
    while lifecycle.go_on_in_bulk():
        continue
    action.refresh_from_db()
    return action


def counts(action):
    return (action.total, action.success, action.failure)


def test_all_runs_of_a_filter_are_canceled_and_no_later_ones():
    ours, others = made(3, tags=("ours",)), made(1)
    action = begun(CANCEL, RunFilter(tag=("ours",)), name="cleaning up")
    later = made(1, tags=("ours",))
    finished(action)
    assert (action.status, counts(action)) == (BulkStatus.COMPLETED, (3, 3, 0))
    assert action.completed_at is not None
    canceled = Run.objects.filter(status=RunStatus.CANCELED)
    assert sorted(canceled.values_list("pk", flat=True)) == ours
    assert Run.objects.exclude(status=RunStatus.CANCELED).count() == len(others + later)
    assert {run.reason for run in canceled} == {f"By the bulk action {action.pk}."}
    assert {event.actor for event in Event.objects.filter(kind="canceled")} == {"key:ann"}
    assert sorted(BulkRun.objects.values_list("run_id", flat=True)) == ours
    assert RunFilter(bulk=(action.pk,)).runs().count() == 3
    assert AuditLog.objects.get(action="bulk.cancel").target == action.pk


def test_what_has_ended_or_is_not_there_fails_and_is_told():
    ended, waiting = made(2)
    lifecycle.cancel(ended, actor="key:bob")
    action = finished(begun(CANCEL, [ended, waiting, "run_nobody"]))
    assert counts(action) == (3, 1, 2)
    assert "run_nobody" in action.problem
    assert Run.objects.get(pk=ended).reason == ""
    assert counts(finished(begun(CANCEL, [ended]))) == (1, 0, 1)


def test_executing_ones_are_asked_to_stop():
    (run_id,) = made()
    Run.objects.filter(pk=run_id).update(status=RunStatus.EXECUTING, started_at=timezone.now())
    assert counts(finished(begun(CANCEL, [run_id]))) == (1, 1, 0)
    assert Run.objects.get(pk=run_id).is_canceling


def test_runs_are_replayed_and_the_new_ones_are_its():
    origins = made(3)
    action = finished(begun(REPLAY, [*origins, "run_nobody"]))
    assert (action.status, counts(action)) == (BulkStatus.COMPLETED, (4, 3, 1))
    replays = Run.objects.filter(replayed_from_id__in=origins)
    assert [run.payload for run in replays.order_by("pk")] == ["0", "1", "2"]
    assert set(BulkRun.objects.values_list("run_id", flat=True)) == {run.pk for run in replays}


@pytest.mark.parametrize("kind", [CANCEL, REPLAY])
def test_what_was_done_and_not_noted_is_not_done_twice(kind, monkeypatch):
    origins = made(3)
    action = begun(kind, origins)
    with monkeypatch.context() as patched:
        patched.setattr(bulk, "_note", lambda *_: None)  # killed before
        lifecycle.go_on_in_bulk()
    # nobody else touches it while it is claimed
    assert lifecycle.go_on_in_bulk() == 0
    BulkAction.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert counts(finished(action)) == (3, 3, 0)
    assert Run.objects.count() == (6 if kind == REPLAY else 3)


def test_a_slow_process_does_not_count_what_another_has_counted(monkeypatch):
    origins = made(2)
    action = begun(CANCEL, origins)
    slow = bulk._claimed(timezone.now())
    BulkAction.objects.update(claimed_until=None)
    assert lifecycle.go_on_in_bulk() == 2
    bulk._note(slow, origins, [bulk.Outcome(run_id, run_id) for run_id in origins])
    action.refresh_from_db()
    assert counts(action) == (2, 2, 0)


def test_it_goes_on_from_page_to_page(monkeypatch):
    monkeypatch.setattr(bulk, "PAGES", {CANCEL: 2, REPLAY: 2})
    by_filter = begun(CANCEL, RunFilter(run=tuple(made(5))))
    by_ids = begun(REPLAY, made(5))
    assert lifecycle.go_on_in_bulk() == 2
    by_filter.refresh_from_db()
    assert (by_filter.status, counts(by_filter)) == (BulkStatus.PENDING, (5, 2, 0))
    assert counts(finished(by_filter)) == (5, 5, 0)
    by_ids.refresh_from_db()
    assert (by_ids.status, counts(by_ids)) == (BulkStatus.COMPLETED, (5, 5, 0))


@pytest.mark.parametrize("is_filter", [True, False])
def test_it_may_begin_with_the_newest(monkeypatch, is_filter):
    monkeypatch.setitem(bulk.PAGES, REPLAY, 2)
    ids = made(5, tags=("ours",))
    chosen = RunFilter(tag=("ours",)) if is_filter else ids
    action = begun(REPLAY, chosen, options=BulkOptions(newest_first=True))
    made(1, tags=("ours",))
    finished(action)
    assert counts(action) == (5, 5, 0)
    again = (
        Run.objects.filter(replayed_from_id__in=ids)
        .order_by("pk")
        .values_list("replayed_from_id", flat=True)
    )
    assert list(again) == ids[::-1]


def test_an_aborted_one_touches_no_more(monkeypatch):
    monkeypatch.setattr(bulk, "PAGES", {CANCEL: 2, REPLAY: 2})
    action = begun(CANCEL, made(5))
    lifecycle.go_on_in_bulk()
    assert lifecycle.abort_bulk(action.pk, actor="key:ann").status == BulkStatus.ABORTED
    assert counts(finished(action)) == (5, 2, 0)
    assert lifecycle.abort_bulk(action.pk, actor="key:ann").completed_at == action.completed_at
    assert AuditLog.objects.filter(action="bulk.abort").count() == 1
    done = finished(begun(CANCEL, made(1)))
    assert lifecycle.abort_bulk(done.pk, actor="key:ann").status == BulkStatus.COMPLETED
    with pytest.raises(NotFound):
        lifecycle.abort_bulk("bulk_nobody", actor="key:ann")


def test_one_of_nothing_is_over_at_once():
    action = begun(CANCEL, RunFilter(tag=("nobody",)))
    assert (action.status, counts(action)) == (BulkStatus.COMPLETED, (0, 0, 0))
    assert lifecycle.go_on_in_bulk() == 0


def test_a_request_that_is_sent_again_begins_nothing():
    origins = made(1)
    first, again = (begun(REPLAY, origins, request_key="lost answer") for _ in range(2))
    assert (again, AuditLog.objects.filter(action="bulk.replay").count()) == (first, 1)


@pytest.mark.parametrize(
    ("chosen", "name"), [([], ""), ([f"run_{n}" for n in range(501)], ""), (["run_x"], "x" * 256), (["x"], "")]
)  # fmt: skip
def test_bounds(chosen, name):
    with pytest.raises(InvalidOption):
        begun(CANCEL, chosen, name=name)


def test_a_filter_is_the_same_after_it_was_written_down():
    now = timezone.now()
    asked = RunFilter(status=("QUEUED",), test=False, batch="b", version=("1", "2"), start=now)
    assert RunFilter.of(asked.facts) == asked


def test_what_is_old_goes_after_its_runs():
    done = finished(begun(CANCEL, made(1)))
    soon = timezone.now() + timedelta(seconds=1)
    assert lifecycle.prune_bulk_actions(soon) == 0
    assert lifecycle.prune_runs(soon).gone == 1
    assert lifecycle.prune_bulk_actions(done.completed_at) == 0
    assert lifecycle.prune_bulk_actions(soon) == 1
    assert not BulkRun.objects.exists()


# -- with options -------------------------------------------------------------------------------------


def options(**said):
    return {"options": BulkOptions(**said)}


def replays():
    return list(Run.objects.exclude(replayed_from_id=None).order_by("id"))


def test_a_patch_changes_every_payload_and_keeps_the_digits():
    run = lifecycle.trigger("send", '{"a":1.50,"b":2,"c":{"d":1}}', source=Source.API).run_id
    patch = '{"b":null,"c":{"e":1e2}}'
    finished(begun(REPLAY, [run], **options(patch=patch)))
    (replayed,) = replays()
    assert json.loads(replayed.payload) == {"a": 1.5, "c": {"d": 1, "e": 100.0}}
    assert "1.50" in replayed.payload
    assert "1e2" in replayed.payload


def test_what_a_patch_makes_invalid_is_not_replayed_and_counted_by_reason():
    factories.task("strict", schema='{"type":"object","required":["a"]}')
    runs = [lifecycle.trigger("strict", '{"a":1}', source=Source.API).run_id for _ in range(3)]
    action = finished(begun(REPLAY, runs, **options(patch='{"a":null}')))
    assert counts(action) == (3, 0, 3)
    assert [*bulkreasons.read(action.reasons).values()] == [Refused(3, tuple(runs))]
    assert not replays()


def test_reasons_are_told_apart_up_to_a_number():
    problems = [(f"run_{n}", f"Reason {n}.") for n in range(30)] + [("run_x", "Reason 1.")]
    told = bulkreasons.read(bulkreasons.added("", problems))
    assert told["Reason 1."] == Refused(2, ("run_1", "run_x"))
    assert len(told) == bulkreasons.MOST_REASONS + 1
    assert told[bulkreasons.OTHER].runs == tuple(f"run_{n}" for n in range(20, 30))
    assert sum(one.count for one in told.values()) == 31


def test_the_first_runs_of_a_reason_are_kept_whatever_was_counted_without_them():
    told = '{"Old.": 4}'
    for n in range(0, 60, 3):
        told = bulkreasons.added(told, [(f"run_{m}", "Old.") for m in range(n, n + 3)])
    (refused,) = bulkreasons.read(told).values()
    assert refused.count == 64
    assert refused.runs == tuple(f"run_{n}" for n in range(bulkreasons.MOST_NAMED))


def test_replays_take_tags_and_a_version():
    (run,) = made(1, tags=("old",))
    finished(begun(REPLAY, [run], **options(tags=("new",), version="v7")))
    (replayed,) = replays()
    assert (replayed.tag_list, replayed.version) == (["new", "old"], "v7")


def test_tags_are_added_to_runs_of_any_status():
    runs = made(2)
    lifecycle.cancel(runs[0], actor="a")
    action = finished(begun(BulkKind.TAG, runs, **options(tags=("seen",))))
    assert counts(action) == (2, 2, 0)
    assert [run.tag_list for run in Run.objects.all()] == [["seen"], ["seen"]]


def test_priorities_of_what_has_not_started_are_set():
    runs = made(2)
    lifecycle.cancel(runs[0], actor="a")
    action = finished(begun(BulkKind.PRIORITY, runs, **options(priority=30.0)))
    assert counts(action) == (2, 1, 1)
    assert Run.objects.get(pk=runs[1]).priority == 30


def test_nothing_is_done_before_its_time():
    runs = made(2)
    action = begun(CANCEL, runs, **options(wait=8))
    assert lifecycle.go_on_in_bulk() == 0
    lifecycle.abort_bulk(action.pk, actor="a")
    BulkAction.objects.update(not_before=timezone.now())
    finished(action)
    assert (action.status, action.success) == (BulkStatus.ABORTED, 0)


def test_a_paused_one_goes_on_when_it_is_resumed():
    action = begun(CANCEL, made(2), reason="deploy")
    lifecycle.pause_bulk(action.pk, actor="a")
    assert lifecycle.go_on_in_bulk() == 0
    assert lifecycle.pause_bulk(action.pk, actor="b").status == BulkStatus.PAUSED
    lifecycle.resume_bulk(action.pk, actor="a")
    finished(action)
    assert (action.status, action.success) == (BulkStatus.COMPLETED, 2)
    assert Run.objects.first().reason == f"By the bulk action {action.pk}. deploy"
    verbs = AuditLog.objects.filter(target=action.pk).order_by("id")
    assert [row.action for row in verbs] == ["bulk.cancel", "bulk.pause", "bulk.resume"]


def test_a_rate_spreads_replays():
    action = begun(REPLAY, made(5), **options(per_minute=40))
    assert lifecycle.go_on_in_bulk() == 2
    assert lifecycle.go_on_in_bulk() == 0
    action.refresh_from_db()
    left = (action.not_before - timezone.now()).total_seconds()
    assert 2 < left <= 3
    BulkAction.objects.update(not_before=timezone.now())
    assert lifecycle.go_on_in_bulk() == 2


def test_a_spread_becomes_a_rate_by_the_number_of_runs():
    action = begun(REPLAY, made(5), **options(spread=7200))
    assert BulkOptions.of(action.options).per_minute == 5 / 120
    assert lifecycle.go_on_in_bulk() == 1
    assert lifecycle.go_on_in_bulk() == 0
    action.refresh_from_db()
    left = (action.not_before - timezone.now()).total_seconds()
    assert 1400 < left <= 1440
    assert BulkOptions(spread=1).paced(10**6).per_minute == 100_000


@pytest.mark.parametrize(("late", "counted"), [(2, True), (10, True), (11, False), (-5, False)])
def test_what_a_look_came_late_is_made_up_for(late, counted):
    now = timezone.now()
    due = now - timedelta(seconds=late)
    base = due if counted else now
    paced = BulkOptions(per_minute=40)
    assert paced.next_after(2, due, now) == base + timedelta(seconds=3)
    assert paced.next_after(2, None, now) == now + timedelta(seconds=3)
    assert BulkOptions().next_after(2, due, now) is None


def test_a_spread_ends_in_its_time_though_somebody_looks_every_other_second(monkeypatch):
    started = clock = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: clock)
    action = begun(CANCEL, made(100), **options(spread=300))
    done = []
    while action.completed_at is None:
        while lifecycle.go_on_in_bulk():
            continue
        action.refresh_from_db()
        done.append(action.success)
        clock += timedelta(seconds=2)
    assert 298 <= (action.completed_at - started).total_seconds() <= 304
    assert max(after - before for before, after in pairwise(done)) == 1
    assert done[len(done) // 2] in range(48, 54)


def end(status):
    for run in replays():
        Run.objects.filter(pk=run.pk).update(status=status, finished_at=timezone.now())


def test_the_others_wait_for_the_first_replays_to_succeed():
    action = begun(REPLAY, made(5), **options(canary=2))
    assert lifecycle.go_on_in_bulk() == 2
    lifecycle.go_on_in_bulk()
    assert lifecycle.go_on_in_bulk() == 0
    assert len(replays()) == 2
    end(RunStatus.COMPLETED)
    BulkAction.objects.update(not_before=None)
    finished(action)
    assert (action.status, action.success) == (BulkStatus.COMPLETED, 5)


def test_a_failed_first_replay_pauses_it_until_somebody_resumes():
    action = begun(REPLAY, made(5), **options(canary=2))
    lifecycle.go_on_in_bulk()
    end(RunStatus.FAILED)
    finished(action)
    assert action.status == BulkStatus.PAUSED
    assert "2 of its first 2 did not succeed" in action.problem
    lifecycle.resume_bulk(action.pk, actor="a")
    assert finished(action).success == 5


@pytest.mark.parametrize(
    ("kind", "said", "named"),
    [(REPLAY, {"patch": "{"}, "patch"), (REPLAY, {"patch": '{"a":1,"a":2}'}, "patch"),
     (CANCEL, {"patch": "{}"}, "patch"), (CANCEL, {"canary": 1}, "patch"),
     (REPLAY, {"canary": 1001}, "canary"), (REPLAY, {"per_minute": -1}, "per_minute"),
     (CANCEL, {"per_minute": 5, "spread": 60}, "spread"), (CANCEL, {"spread": 2592001}, "spread"),
     (BulkKind.TAG, {}, "tags"), (BulkKind.TAG, {"tags": ("x" * 200,)}, "tags"),
     (BulkKind.PRIORITY, {}, "priority")],
)  # fmt: skip
def test_what_cannot_be_done_begins_nothing(kind, said, named):
    with pytest.raises(InvalidOption) as error:
        begun(kind, made(1), **options(**said))
    assert error.value.option == named
    assert not BulkAction.objects.exists()
