from functools import partial

import pytest

from runs import lifecycle
from runs.lifecycle import attempts
from runs.models import Ready, Run
from runs.states import RunStatus
from tests.support.factories import (
    ERROR,
    claim,
    delayed_run,
    executing_run,
    finish,
    history,
    session,
    trigger,
)
from tests.support.threads import together

pytestmark = pytest.mark.django_db


def due(run_id):
    moment = Run.objects.get(pk=run_id).created_at
    Ready.objects.filter(pk=run_id).update(not_before=moment)


def test_a_delay_that_is_over_is_queued():
    run = delayed_run()
    due(run.pk)
    assert lifecycle.promote_due() == 1
    run.refresh_from_db()
    assert (run.status, run.queued_at is not None) == (RunStatus.QUEUED, True)
    assert history(run.pk) == ["triggered", "queued"]
    assert claim(session())[0].run_id == run.pk


def test_a_retry_that_is_due_can_be_claimed():
    one = executing_run()
    finish(attempts.retry(*one.lease, ERROR, 60.0))
    assert claim(session()) == []
    due(one.run_id)
    assert lifecycle.promote_due() == 1
    assert one.run.retry_at is None
    assert claim(session())[0].run_id == one.run_id


def test_nothing_is_early():
    delayed_run()
    assert lifecycle.promote_due() == 0
    assert claim(session()) == []


def test_it_tells_when_to_come_again():
    assert lifecycle.next_due() is None
    trigger()
    run, _ = delayed_run(), delayed_run(delay=7200.0)
    assert lifecycle.next_due() == run.delay_until


def test_a_delayed_run_takes_its_place_by_when_it_was_due():
    run = delayed_run(delay=60.0)
    later, sooner = trigger(priority=-120.0), trigger()
    due(run.pk)
    lifecycle.promote_due()
    assert [one.run_id for one in claim(session(), 3)] == [sooner.pk, run.pk, later.pk]


@pytest.mark.django_db(transaction=True)
def test_many_promoters_move_each_run_once():
    runs = [delayed_run() for _ in range(20)]
    for run in runs:
        due(run.pk)
    moved = together([lifecycle.promote_due] * 4)
    assert sum(moved) + lifecycle.promote_due() >= 20
    assert {tuple(history(run.pk)) for run in runs} == {("triggered", "queued")}


@pytest.mark.django_db(transaction=True)
def test_a_cancel_and_a_promotion_agree():
    for _ in range(10):
        run = delayed_run()
        due(run.pk)
        together([lifecycle.promote_due, partial(lifecycle.cancel, run.pk, actor="t")])
        run.refresh_from_db()
        assert (run.status, Ready.objects.count()) == (RunStatus.CANCELED, 0)
