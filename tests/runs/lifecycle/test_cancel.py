from datetime import timedelta
from typing import Any

import pytest

from runs import lifecycle, signals
from runs.errors import InvalidOption, NotFound
from runs.lifecycle import attempts, sessions, triggering
from runs.models import AuditLog, Event, Lease, Ready, Run, WorkerSession
from runs.states import FINAL, LEASED, RunStatus
from tests.support.factories import (
    claim,
    complete,
    ended_run,
    executing_run,
    finish,
    history,
    queued_run,
    run_in,
    session,
    start,
    trigger,
)
from tests.support.threads import together

pytestmark = pytest.mark.django_db
ADA: dict[str, Any] = {"actor": "user:ada"}


@pytest.mark.parametrize("status", ["QUEUED", "DELAYED", "PENDING_VERSION", "WAITING"])
def test_what_does_not_execute_is_canceled_at_once(status):
    run = lifecycle.cancel(run_in(RunStatus(status)).pk, reason="wrong file", **ADA)
    assert (run.status, run.reason) == (RunStatus.CANCELED, "wrong file")
    assert run.finished_at
    assert not Ready.objects.exists()
    last = Event.objects.latest("id")
    assert (last.kind, last.actor, last.reason) == ("canceled", "user:ada", "wrong file")


@pytest.mark.parametrize("status", sorted(LEASED))
def test_what_executes_is_asked_to_stop(status):
    run = lifecycle.cancel(run_in(status).pk, reason="wrong file", **ADA)
    assert (run.status, run.is_canceling, run.reason) == (status, True, "wrong file")
    assert Lease.objects.count() == 1
    last = Event.objects.latest("id")
    assert (last.kind, last.status) == ("cancel_requested", status)


@pytest.mark.parametrize("status", sorted(FINAL))
def test_what_is_finished_stays(status):
    run = run_in(status)
    audited = AuditLog.objects.count()
    assert lifecycle.cancel(run.pk, **ADA).status == status
    assert AuditLog.objects.count() == audited


def test_twice_is_once():
    one = executing_run()
    first, second = (lifecycle.cancel(one.run_id, **ADA) for _ in range(2))
    assert first.cancel_requested_at == second.cancel_requested_at
    assert history(one.run_id).count("cancel_requested") == 1


def test_nobody_is_not_found():
    with pytest.raises(NotFound):
        lifecycle.cancel("run_nobody", **ADA)


@pytest.mark.parametrize("reason", ["\x00", "\ud800"])
def test_a_reason_that_cannot_be_stored_is_refused(reason):
    run = queued_run()
    with pytest.raises(InvalidOption, match="reason"):
        lifecycle.cancel(run.pk, reason=reason, **ADA)


def test_it_is_audited():
    run = queued_run()
    lifecycle.cancel(run.pk, reason="wrong file", **ADA)
    row = AuditLog.objects.get()
    assert (row.actor, row.action, row.target) == ("user:ada", "run.cancel", run.pk)
    assert row.reason == "wrong file"


def test_the_cluster_is_told(django_capture_on_commit_callbacks):
    told = []
    listen = lambda run_id, **_: told.append(run_id)  # noqa: E731
    one = executing_run()
    signals.cancel_requested.connect(listen)
    with django_capture_on_commit_callbacks(execute=True):
        lifecycle.cancel(one.run_id, **ADA)
    signals.cancel_requested.disconnect(listen)
    assert told == [one.run_id]


def statuses(*runs):
    return [Run.objects.get(pk=run.pk).status for run in runs]


def test_everything_below_is_canceled_too():
    parent = trigger()
    child, done = trigger(parent_id=parent.pk), trigger(parent_id=parent.pk)
    Run.objects.filter(pk=done.pk).update(status="COMPLETED", finished_at=done.created_at)
    below = trigger(parent_id=done.pk)
    lifecycle.cancel(parent.pk, **ADA)
    assert statuses(parent, child, done, below) == ["CANCELED", "CANCELED", "COMPLETED", "CANCELED"]
    assert parent.pk in Run.objects.get(pk=child.pk).reason


def test_children_can_be_kept():
    parent = trigger()
    child = trigger(parent_id=parent.pk)
    lifecycle.cancel(parent.pk, keep_children=True, **ADA)
    assert statuses(parent, child) == ["CANCELED", "QUEUED"]


def test_children_of_a_finished_run_are_left_alone():
    parent = ended_run()
    child = trigger(parent_id=parent.pk)
    lifecycle.cancel(parent.pk, **ADA)
    assert statuses(child) == ["QUEUED"]


def late_child(parent, monkeypatch):
    """A child whose parent is canceled after it was looked at and before the child is stored."""
    insert = triggering._insert

    def after_the_cancel(*rows):
        monkeypatch.setattr(triggering, "_insert", insert)
        lifecycle.cancel(parent.pk, **ADA)
        insert(*rows)

    monkeypatch.setattr(triggering, "_insert", after_the_cancel)
    return trigger(parent_id=parent.pk)


@pytest.mark.parametrize("status", ["EXECUTING", "QUEUED"])
def test_a_child_of_a_canceled_run_never_starts(status):
    parent = run_in(RunStatus(status))
    lifecycle.cancel(parent.pk, **ADA)
    child = trigger(parent_id=parent.pk)
    assert (child.status, history(child.pk)) == ("CANCELED", ["triggered", "canceled"])
    assert parent.pk in child.reason
    assert not Ready.objects.filter(pk=child.pk).exists()


@pytest.mark.parametrize("status", ["EXECUTING", "QUEUED"])
def test_a_child_of_a_canceled_run_whose_children_are_kept_lives(
    status, django_capture_on_commit_callbacks
):
    parent = run_in(RunStatus(status))
    lifecycle.cancel(parent.pk, keep_children=True, **ADA)
    with django_capture_on_commit_callbacks(execute=True):
        child = trigger(parent_id=parent.pk)
    assert statuses(child) == ["QUEUED"]


def test_a_child_stored_after_the_cancel_looked_for_it(
    monkeypatch, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        child = late_child(executing_run().run, monkeypatch)
    assert statuses(child) == ["CANCELED"]


def test_the_last_child_of_a_run_whose_cluster_was_lost(monkeypatch):
    """Nobody looked: the commit hook went with the process."""
    one = executing_run()
    child = late_child(one.run, monkeypatch)
    assert statuses(child) == ["QUEUED"]
    WorkerSession.objects.update(expires_at=one.run.created_at - timedelta(days=1))
    sessions.reap()
    assert statuses(one.run, child) == ["CANCELED", "CANCELED"]


@pytest.mark.django_db(transaction=True)
def test_a_trigger_and_the_cancel_of_its_parent_agree():
    for _ in range(12):
        parent = trigger()
        cancel = lambda parent=parent: lifecycle.cancel(parent.pk, **ADA)  # noqa: E731
        child, _ = together([lambda parent=parent: trigger(parent_id=parent.pk), cancel])
        assert statuses(parent, child) == ["CANCELED", "CANCELED"]


@pytest.mark.django_db(transaction=True)
def test_a_claim_and_a_cancel_agree():
    for _ in range(12):
        run, by = trigger(), session()

        def worker(by=by):
            for one in claim(by):
                if start(one):
                    complete(one)

        together([worker, lambda run=run: lifecycle.cancel(run.pk, **ADA)])
        for one in claim(by):
            start(one)
        assert statuses(run)[0] in FINAL
        assert not Ready.objects.exists()
        assert not Lease.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_retry_and_a_cancel_agree():
    for _ in range(12):
        one = executing_run()
        retry = attempts.retry(*one.lease, '{"name": "E"}', 0.0)
        cancel = lambda one=one: lifecycle.cancel(one.run_id, **ADA)  # noqa: E731
        together([lambda retry=retry: finish(retry), cancel])
        assert one.run.status == RunStatus.CANCELED
        assert not Ready.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_many_cancels_one_counts():
    run = queued_run()
    together([lambda: lifecycle.cancel(run.pk, **ADA)] * 8)
    assert history(run.pk) == ["triggered", "canceled"]
    assert AuditLog.objects.count() == 1
