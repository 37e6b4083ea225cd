"""What is owed when a run ends, and how it is worked off."""

import json
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from runs import conf, lifecycle, signals
from runs.lifecycle import attempts, finalhooks, fleet, sessions
from runs.lifecycle.store import Next
from runs.models import Event, FinalHooks, Lease, Run, SessionState, WorkerSession
from runs.states import FINAL, RunStatus
from tests.support.factories import (
    ERROR,
    complete,
    delayed_run,
    executing_run,
    expired_run,
    finish,
    history,
    queued_run,
    run_in,
    session,
    task,
    trigger,
    waiting_run,
)

pytestmark = pytest.mark.django_db
S = RunStatus


def hooked(failure=True, cancel=True):
    task("send", failure_hooks=failure, cancel_hooks=cancel)


def owed():
    return set(FinalHooks.objects.values_list("pk", flat=True))


def crash(one):
    Run.objects.filter(pk=one.run_id).update(crash_count=conf.get("CRASH_LIMIT"))
    return finish(attempts.crash(*one.lease, "TASK_RUN_CRASHED", "It is gone."))


@pytest.mark.parametrize("status", sorted(FINAL))
def test_every_unsuccessful_end_owes_them(status):
    hooked()
    run = run_in(status)
    assert owed() == (set() if status == S.COMPLETED else {run.pk})


@pytest.mark.parametrize("status", sorted(FINAL))
def test_a_task_without_final_hooks_owes_nothing(status):
    run_in(status)
    assert owed() == set()


@pytest.mark.parametrize(("failure", "cancel"), [(True, False), (False, True)])
def test_only_the_hooks_there_are_count(failure, cancel):
    hooked(failure, cancel)
    failed, canceled = run_in(S.FAILED), queued_run()
    lifecycle.cancel(canceled.pk, actor="user:ada")
    assert owed() == ({failed.pk} if failure else {canceled.pk})


@pytest.mark.parametrize("make", [queued_run, delayed_run, waiting_run])
def test_a_run_canceled_before_it_executes_owes_them(make):
    hooked()
    run = make()
    lifecycle.cancel(run.pk, actor="user:ada")
    assert owed() == {run.pk}


def test_a_cancel_that_owes_hooks_wakes_a_worker(django_capture_on_commit_callbacks):
    hooked()
    run, woken = queued_run(), []
    signals.runs_ready.connect(receiver := lambda **_: woken.append(1), weak=False)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            lifecycle.cancel(run.pk, actor="user:ada")
    finally:
        signals.runs_ready.disconnect(receiver)
    assert woken == [1]


def test_the_rest_of_a_rolled_back_end_is_not_there():
    hooked()
    run = queued_run()
    with transaction.atomic():
        lifecycle.cancel(run.pk, actor="user:ada")
        transaction.set_rollback(True)
    assert owed() == set()


def test_a_retry_owes_nothing_and_the_last_crash_does():
    hooked()
    one = executing_run(max_attempts=3)
    finish(attempts.crash(*one.lease, "TASK_RUN_CRASHED", "It is gone."))
    assert (one.run.status, owed()) == (S.QUEUED, set())
    assert crash(executing_run()).won
    assert len(owed()) == 1


def test_runs_of_a_lost_cluster_owe_them():
    hooked()
    one = executing_run()
    Run.objects.filter(pk=one.run_id).update(crash_count=conf.get("CRASH_LIMIT"))
    past = timezone.now() - timedelta(hours=1)
    WorkerSession.objects.update(expires_at=past, state=SessionState.DEAD)
    assert sessions.reap() == 1
    assert (one.run.status, owed()) == (S.CRASHED, {one.run_id})


@pytest.mark.parametrize("ending", [attempts.fail, attempts.acknowledge_cancel])
def test_what_the_worker_called_itself_is_not_owed(ending):
    hooked()
    one = executing_run()
    if ending is attempts.acknowledge_cancel:
        lifecycle.cancel(one.run_id, actor="user:ada")
    assert finish(ending(*one.lease, ERROR, hooked=True)).won
    assert owed() == set()


def test_a_cancel_that_overtakes_the_answer_owes_them():
    hooked()
    failed, done = executing_run(session(8)), executing_run(session(8))
    for one in (failed, done):
        lifecycle.cancel(one.run_id, actor="user:ada")
    finish(attempts.fail(*failed.lease, ERROR, hooked=True))
    complete(done)
    assert {failed.run.status, done.run.status} == {S.CANCELED}
    assert owed() == {failed.run_id, done.run_id}


def test_a_cancel_that_overtakes_a_handed_over_slot_owes_them():
    hooked()
    one, _ = executing_run(), trigger()
    lifecycle.cancel(one.run_id, actor="user:ada")
    complete(one, take=Next.SAME)
    assert (one.run.status, owed()) == (S.CANCELED, {one.run_id})


# -- working off ----------------------------------------------------------------------------------


@pytest.fixture
def ended():
    """A run whose final hooks are owed."""
    hooked()
    return run_in(S.CRASHED)


def now_due():
    FinalHooks.objects.update(due_at=timezone.now() - timedelta(seconds=1))


def test_they_are_taken_once(ended):
    (claim,) = finalhooks.take(5)
    assert (claim.run_id, claim.attempt) == (ended.pk, 1)
    assert finalhooks.take(5) == []
    assert finalhooks.next_due() > timezone.now() + timedelta(
        seconds=conf.get("FINAL_HOOKS_SECONDS")
    )


def test_the_worker_gets_the_run_as_it_ended(ended):
    (claim,) = finalhooks.take(1)
    work, run = finalhooks.ended_run(claim.run_id, claim.token)
    assert (work.run_id, work.task_id, work.attempt, work.token) == (
        ended.pk,
        "send",
        1,
        claim.token,
    )
    assert (run.status, run.error) == (S.CRASHED, ERROR)
    assert finalhooks.ended_run(claim.run_id, "another token") is None


def test_a_run_that_never_started_has_all_a_context_needs():
    hooked()
    run = expired_run()
    (claim,) = finalhooks.take(1)
    work, _ = finalhooks.ended_run(*claim[:2])
    assert (work.attempt, work.started_at) == (0, run.created_at)


def test_what_was_called_is_in_the_history(ended):
    (claim,) = finalhooks.take(1)
    called = ["on_failure", "on_complete"]
    assert finalhooks.done(claim.run_id, claim.token, "worker_1", called, "It said no.")
    event = Event.objects.filter(run_id=ended.pk).last()
    assert (event.kind, event.status, event.actor) == ("hooks_ran", S.CRASHED, "session:worker_1")
    assert (event.reason, json.loads(event.data)) == ("It said no.", {"hooks": called})
    assert owed() == set()
    ended.refresh_from_db()
    assert (ended.status, Lease.objects.count()) == (S.CRASHED, 0)


def test_a_worker_that_comes_too_late_changes_nothing(ended):
    (first,) = finalhooks.take(1)
    now_due()
    (second,) = finalhooks.take(1)
    assert not finalhooks.done(first.run_id, first.token, "worker_1", [], "")
    assert not finalhooks.lose(first.run_id, first.token, "It died.", "worker_1")
    assert finalhooks.done(second.run_id, second.token, "worker_2", [], "")


def test_who_dies_of_them_leaves_them_to_others_some_times(ended):
    for tried in range(finalhooks.MOST_TRIES):
        now_due()
        assert history(ended.pk)[-1] == "crashed", tried
        (claim,) = finalhooks.take(1)
        assert finalhooks.lose(claim.run_id, claim.token, "It died.", "worker_1")
        assert finalhooks.take(1) == []  # later
    assert (history(ended.pk)[-1], owed()) == ("hooks_failed", set())


def test_who_is_stopped_leaves_them_at_once_and_uses_up_no_try(ended):
    (claim,) = finalhooks.take(1)
    finalhooks.postpone(claim.run_id, claim.token)
    assert FinalHooks.objects.get().tries == 0
    assert len(finalhooks.take(1)) == 1


def test_hooks_of_a_task_this_version_lacks_wait_a_day(ended):
    (claim,) = finalhooks.take(1)
    finalhooks.wait_for_version(ended, claim.token, "No such task.", "worker_1")
    assert (owed(), finalhooks.take(1)) == ({ended.pk}, [])
    now_due()
    (claim,) = finalhooks.take(1)
    ended.finished_at -= timedelta(days=2)
    finalhooks.wait_for_version(ended, claim.token, "No such task.", "worker_1")
    assert (history(ended.pk)[-1], owed()) == ("hooks_failed", set())


def test_those_of_a_deleted_run_are_forgotten(ended):
    (claim,) = finalhooks.take(1)
    Run.objects.filter(pk=ended.pk).delete()
    assert finalhooks.ended_run(claim.run_id, claim.token) is None
    assert owed() == set()


# -- versions -------------------------------------------------------------------------------------


def locked_run(version):
    """A run of that version that crashed."""
    hooked()
    one = executing_run()
    crash(one)
    Run.objects.filter(pk=one.run_id).update(version=version)
    return one.run_id


def taken(version):
    return [claim.run_id for claim in finalhooks.take(5, version)]


def test_the_runs_own_version_calls_them_while_somebody_runs_it():
    run_id = locked_run("old")
    session(version="new", tasks=["send"])
    session(version="old", tasks=["send"])
    assert (taken("new"), finalhooks.next_due("new")) == ([], None)
    assert finalhooks.next_due("old") <= timezone.now()
    assert taken("old") == [run_id]


@pytest.mark.parametrize("end", [sessions.close, sessions.drain])
def test_another_version_calls_them_when_their_own_is_gone(end):
    run_id = locked_run("old")
    old = session(version="old", tasks=["send"])
    new = session(version="new", tasks=["send"])
    assert taken("new") == []
    end(old.pk)
    (claim,) = finalhooks.take(5, "new")
    finalhooks.done(run_id, claim.token, new.pk, ["on_failure"], "It said no.")
    event = Event.objects.filter(run_id=run_id).last()
    assert event.reason == "Version new called them instead of old. It said no."


def test_any_version_calls_those_of_runs_that_never_started():
    hooked()
    run = expired_run()
    for version in ("old", "new"):
        session(version=version, tasks=["send"])
    assert taken("new") == [run.pk]


def test_a_version_without_the_task_is_not_waited_for():
    run_id = locked_run("old")
    session(version="old", tasks=["other"])
    session(version="new", tasks=["send"])
    fleet.compare()
    assert taken("new") == [run_id]


def test_hooks_that_are_not_due_cost_no_look_at_the_clusters(django_assert_num_queries):
    locked_run("old")
    FinalHooks.objects.update(due_at=timezone.now() + timedelta(hours=1))
    with django_assert_num_queries(1):
        finalhooks.next_due("new")
    FinalHooks.objects.all().delete()
    with django_assert_num_queries(1):
        assert finalhooks.next_due("new") is None
