"""A cancel that can be taken back, on both databases."""

from datetime import timedelta

import pytest
from django.utils import timezone

from runs import lifecycle
from runs.errors import NotFound
from runs.models import NEVER, AuditLog, PendingCancel, Ready, Run
from tests.support.factories import claim, executing_run, queued_run, session

pytestmark = pytest.mark.django_db


def soon(run, **options):
    return lifecycle.cancel_soon(run.pk, actor="user:otto", reason="wrong", **options)


def status(run):
    return Run.objects.values_list("status", flat=True).get(pk=run.pk)


def test_what_is_to_be_canceled_does_not_start_meanwhile():
    run = queued_run()
    soon(run)
    assert claim(session()) == []
    assert lifecycle.promote_due() == 0
    assert status(run) == "QUEUED"


def test_taken_back_it_goes_on_at_its_place():
    run, later = queued_run(), queued_run()
    soon(run)
    assert lifecycle.withdraw_cancel(run.pk, actor="user:otto")
    assert [one.run_id for one in claim(session(), 2)] == [run.pk, later.pk]
    assert not lifecycle.withdraw_cancel(run.pk, actor="user:otto")
    verbs = AuditLog.objects.filter(target=run.pk).values_list("action", flat=True)
    assert set(verbs) == {"run.cancel_soon", "run.cancel_withdrawn"}


def test_a_delay_is_kept():
    run = queued_run(delay=3600.0)
    due = Ready.objects.get(pk=run.pk).not_before
    soon(run)
    assert Ready.objects.get(pk=run.pk).not_before == NEVER
    lifecycle.withdraw_cancel(run.pk, actor="")
    assert Ready.objects.get(pk=run.pk).not_before == due


def test_it_is_done_when_its_time_has_come():
    run = queued_run()
    soon(run)
    assert lifecycle.cancel_due() == 0
    PendingCancel.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    assert lifecycle.cancel_due() == 1
    run.refresh_from_db()
    assert (run.status, run.reason) == ("CANCELED", "wrong")
    assert AuditLog.objects.get(action="run.cancel").actor == "user:otto"
    assert not PendingCancel.objects.exists()


def test_an_executing_run_goes_on_until_then():
    run = executing_run().run
    soon(run)
    assert not Run.objects.get(pk=run.pk).is_canceling
    assert lifecycle.cancel_now(run.pk)
    assert Run.objects.get(pk=run.pk).is_canceling


def test_twice_is_once_and_what_ended_stays():
    run = queued_run()
    first = soon(run)
    assert soon(run).due_at == first.due_at
    lifecycle.cancel(run.pk, actor="")
    assert lifecycle.cancel_now(run.pk)
    assert soon(run) is None
    assert not PendingCancel.objects.exists()
    with pytest.raises(NotFound):
        lifecycle.cancel_soon("run_gone", actor="")
    assert not PendingCancel.objects.exists()
