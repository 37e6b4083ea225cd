from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from runs import lifecycle
from runs.lifecycle import TriggerItem, attempts, moving
from runs.models import Ready, Run, Source
from runs.states import RunStatus
from tests.support.factories import (
    claim,
    delayed_run,
    executing_run,
    finish,
    history,
    parked_run,
    queue,
    session,
    task,
    trigger,
)
from tests.support.threads import together

pytestmark = pytest.mark.django_db
SOON = 0.000001


def lapse(run):
    Run.objects.filter(pk=run.pk).update(expires_at=run.created_at - timedelta(seconds=1))


def test_a_backlog_without_a_time_to_live_is_not_looked_at():
    task()
    items = [TriggerItem(task_id="send")] * 1000
    lifecycle.trigger_many(items, source=Source.SDK)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE runs_run")
    assert "run_by_expiry" in moving.lapsed(timezone.now()).explain()


def test_a_queued_run_expires():
    run = trigger(ttl=SOON)
    assert lifecycle.expire_due() == 1
    run.refresh_from_db()
    assert (run.status, "time to live" in run.reason) == (RunStatus.EXPIRED, True)
    assert history(run.pk) == ["triggered", "expired"]
    assert not Ready.objects.exists()


def test_also_in_a_paused_queue():
    queue("mail")
    lifecycle.pause("mail", actor="user:ada")
    trigger(queue="mail", ttl=SOON)
    assert lifecycle.expire_due() == 1


def test_not_before_its_time():
    trigger(ttl=60.0)
    trigger()
    assert lifecycle.expire_due() == 0


def test_delayed_and_parked_runs_do_not_expire():
    delayed_run(ttl=SOON)
    parked_run(ttl=SOON)
    assert lifecycle.expire_due() == 0


def test_the_time_counts_from_when_the_delay_is_over():
    run = delayed_run(ttl=60.0)
    Ready.objects.update(not_before=run.created_at)
    lifecycle.promote_due()
    run.refresh_from_db()
    assert run.expires_at == run.queued_at + timedelta(seconds=60)


def test_a_run_that_has_started_once_never_expires():
    one = executing_run(ttl=60.0)
    finish(attempts.retry(*one.lease, '{"name": "E"}', 0.0))
    lapse(one.run)
    assert (lifecycle.expire_due(), moving.expire(one.run_id)) == (0, False)
    assert Ready.objects.count() == 1
    assert claim(session())[0].run_id == one.run_id


@pytest.mark.django_db(transaction=True)
def test_a_claim_and_expiry_agree():
    for _ in range(10):
        run, by = trigger(ttl=60.0), session()
        lapse(run)
        together([lambda by=by: claim(by), lifecycle.expire_due])
        assert history(run.pk) == ["triggered", "expired"]
        assert not Ready.objects.exists()
