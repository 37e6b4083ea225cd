import json
from datetime import timedelta
from functools import partial

import pytest

from runs import lifecycle
from runs.lifecycle import attempts, sessions
from runs.lifecycle.store import Next
from runs.models import Event, Lease, Ready, Run, WorkerSession
from runs.states import RunStatus
from tests.support.factories import (
    ERROR,
    claim,
    complete,
    dequeued_run,
    executing_run,
    finish,
    history,
    queue,
    session,
    start,
    tries,
    trigger,
)
from tests.support.threads import together

pytestmark = pytest.mark.django_db


def test_success_is_stored():
    one = executing_run()
    assert complete(one, output='{"a": 1}').won
    run = one.run
    assert (run.status, run.output, run.error) == (RunStatus.COMPLETED, '{"a": 1}', None)
    assert run.finished_at >= run.executed_at >= run.started_at
    assert tries(run.pk) == [(1, "COMPLETED")]
    assert history(run.pk) == ["triggered", "dequeued", "started", "completed"]
    assert not Lease.objects.exists()


@pytest.mark.parametrize(
    ("status", "attempt", "kind"),
    [
        (RunStatus.FAILED, "FAILED", "failed"),
        (RunStatus.CRASHED, "CRASHED", "crashed"),
        (RunStatus.TIMED_OUT, "TIMED_OUT", "timed_out"),
        (RunStatus.SYSTEM_FAILURE, "FAILED", "system_failed"),
    ],
)
def test_failure_is_stored(status, attempt, kind):
    one = executing_run()
    assert finish(attempts.fail(*one.lease, ERROR, status, "because")).won
    assert (one.run.status, one.run.error, one.run.reason) == (status, ERROR, "because")
    assert tries(one.run_id) == [(1, attempt)]
    assert history(one.run_id)[-1] == kind


def test_events_name_the_attempt_and_the_session():
    one = executing_run()
    finish(attempts.retry(*one.lease, ERROR, 0.0))
    by = session()
    start(claim(by)[0])
    facts = Event.objects.filter(run_id=one.run_id).values_list("kind", "attempt", "actor")
    mine, other = f"session:{one.session_id}", f"session:{by.pk}"
    assert list(facts) == [
        ("triggered", 0, ""),
        ("dequeued", 1, mine),
        ("started", 1, mine),
        ("retried", 1, mine),
        ("dequeued", 2, other),
        ("started", 2, other),
    ]


def test_a_retry_waits_without_a_slot():
    one = executing_run()
    assert finish(attempts.retry(*one.lease, ERROR, 30.0)).won
    run, ready = one.run, Ready.objects.get()
    assert (run.status, run.is_retrying) == (RunStatus.QUEUED, True)
    assert ready.not_before == run.retry_at
    assert 29 < (run.retry_at - run.updated_at).total_seconds() < 31
    assert json.loads(Event.objects.latest("id").data) == {"delay": 30.0}
    assert not Lease.objects.exists()


def test_a_retry_keeps_its_place():
    one = executing_run()
    trigger()
    finish(attempts.retry(*one.lease, ERROR, 0.0))
    assert Ready.objects.order_by("sort_key")[0].run_id == one.run_id
    assert claim(session())[0].attempt == 2


def test_a_released_attempt_does_not_count():
    one = executing_run()
    finish(attempts.release(*one.lease, "Its cluster stopped."))
    run = one.run
    assert (run.attempt_number, run.uncounted_attempts, run.crash_count) == (1, 1, 0)
    assert tries(run.pk) == [(1, "RELEASED")]
    assert claim(session())[0].attempt == 2


def test_a_release_before_the_start_leaves_no_trace():
    one = dequeued_run()
    finish(attempts.release(*one.lease, "", started=False))
    assert (one.run.attempt_number, one.run.uncounted_attempts) == (0, 0)
    assert tries(one.run_id) == []
    assert claim(session())[0].attempt == 1


def test_a_parked_run_waits_for_a_version():
    one = executing_run()
    finish(attempts.park(*one.lease, "No such task here."))
    run = one.run
    assert (run.status, run.reason) == (RunStatus.PENDING_VERSION, "No such task here.")
    assert (run.finished_at, run.retry_at) == (None, None)
    assert not Ready.objects.exists()


def test_executing_time_is_summed_up(time_machine):
    one = executing_run()
    Lease.objects.update(started_at=one.run.created_at - timedelta(seconds=2.5))
    complete(one)
    assert 2500 <= one.run.usage_ms < 12_500


def test_a_lost_worker_s_answer_changes_nothing():
    one = executing_run()
    WorkerSession.objects.update(expires_at=one.run.created_at)
    sessions.reap()
    before = Run.objects.filter(pk=one.run_id).values().get()
    assert not complete(one).won
    assert Run.objects.filter(pk=one.run_id).values().get() == before
    assert Ready.objects.filter(run_id=one.run_id).exists()


def test_the_first_attempt_cannot_end_the_second():
    one = executing_run()
    finish(attempts.retry(*one.lease, ERROR, 0.0))
    second = claim(session())[0]
    start(second)
    complete(one)
    assert second.run.status == RunStatus.EXECUTING
    assert complete(second).won
    assert tries(one.run_id) == [(1, "FAILED"), (2, "COMPLETED")]


def test_a_repeated_answer_has_won():
    one = executing_run()
    assert [complete(one).won, complete(one).won] == [True, True]
    assert history(one.run_id).count("completed") == 1


def test_a_repeated_answer_gets_the_run_the_first_one_inherited():
    one = executing_run()
    trigger()
    first, second = complete(one, Next.SAME), complete(one, Next.SAME)
    assert first == second
    assert first.next.attempt == 1
    assert complete(one).next is None


def test_a_cancel_request_wins_over_success():
    one = executing_run()
    lifecycle.cancel(one.run_id, actor="user:ada", reason="wrong file")
    assert complete(one).won
    run = one.run
    assert (run.status, run.output, run.reason) == (RunStatus.CANCELED, None, "wrong file")
    assert tries(run.pk) == [(1, "CANCELED")]


@pytest.mark.parametrize("end", [attempts.retry, attempts.park, attempts.release])
def test_a_cancel_request_wins_over_another_try(end):
    one = executing_run()
    lifecycle.cancel(one.run_id, actor="user:ada")
    arguments = (ERROR, 5.0) if end is attempts.retry else ("because",)
    assert finish(end(*one.lease, *arguments)).won
    run = one.run
    assert (run.status, run.retry_at) == (RunStatus.CANCELED, None)
    assert run.finished_at
    assert not Ready.objects.exists()


def test_a_run_canceled_before_its_start_never_starts():
    one = dequeued_run()
    lifecycle.cancel(one.run_id, actor="user:ada")
    assert start(one) is None
    assert one.run.status == RunStatus.CANCELED
    assert tries(one.run_id) == []


def test_a_worker_inherits_the_next_run_of_its_bucket():
    queue("mail", limit=1)
    one = executing_run(queue="mail")
    heir = trigger(queue="mail")
    trigger()
    finished = complete(one, Next.SAME)
    assert finished.next.run_id == heir.pk
    assert Lease.objects.count() == 1
    assert history(heir.pk) == ["triggered", "started"]
    assert tries(heir.pk) == [(1, "EXECUTING")]


def test_from_an_empty_bucket_it_goes_to_another():
    one = executing_run()
    other = trigger(concurrency_key="k")
    assert complete(one, Next.SAME).next.run_id == other.pk


def test_asked_for_any_it_serves_the_least_recent_bucket():
    one = executing_run()
    trigger()
    other = trigger(concurrency_key="k")
    assert complete(one, Next.ANY).next.run_id == other.pk


def test_nothing_is_inherited_unasked():
    one = executing_run()
    trigger()
    assert complete(one).next is None


def test_a_paused_queue_is_not_inherited_from():
    queue("mail")
    one = executing_run(queue="mail")
    trigger(queue="mail")
    lifecycle.pause("mail", actor="user:ada")
    assert complete(one, Next.SAME).next is None


def test_a_lowered_limit_is_not_inherited_past():
    queue("mail", limit=2)
    by = session()
    first = executing_run(by, queue="mail")
    executing_run(by, queue="mail")
    trigger(queue="mail")
    lifecycle.override_limit("mail", 1, actor="user:ada")
    assert complete(first, Next.SAME).next is None
    assert Lease.objects.count() == 1


def test_a_lowered_total_limit_is_not_inherited_past():
    queue("mail", total=2)
    by = session()
    first = executing_run(by, queue="mail")
    executing_run(by, queue="mail")
    trigger(queue="mail")
    lifecycle.set_limits("mail", concurrency_limit=None, total_limit=1)
    assert complete(first, Next.SAME).next is None


@pytest.mark.parametrize("facts", [{"draining": True}, {"state": "DEAD"}, {"state": "GONE"}])
def test_a_session_that_stops_inherits_nothing(facts):
    one = executing_run()
    trigger()
    WorkerSession.objects.update(**facts)
    finished = complete(one, Next.SAME)
    assert (finished.won, finished.next) == (True, None)


def test_an_heir_that_lapsed_is_expired_and_passed_over():
    one = executing_run()
    lapsed, heir = trigger(ttl=0.000001), trigger()
    assert complete(one, Next.SAME).next.run_id == heir.pk
    assert Run.objects.get(pk=lapsed.pk).status == RunStatus.EXPIRED


@pytest.mark.django_db(transaction=True)
def test_of_many_answers_one_counts():
    one = executing_run()
    endings = [
        attempts.complete(*one.lease, '"a"'),
        attempts.fail(*one.lease, ERROR),
        attempts.retry(*one.lease, ERROR, 9.0),
        attempts.release(*one.lease, "stopped"),
    ]
    together([partial(finish, ending) for ending in endings])
    assert len(history(one.run_id)) == 4
    assert len(tries(one.run_id)) == 1


def test_children_go_on_when_the_time_of_their_parent_is_over():
    one = executing_run()
    child = trigger(parent_id=one.run_id)
    finish(attempts.time_out(*one.lease, '{"name": "TaskRunTimedOut", "message": "too long"}'))
    assert Run.objects.get(pk=one.run_id).status == RunStatus.TIMED_OUT
    assert Run.objects.get(pk=child.pk).status == RunStatus.QUEUED
