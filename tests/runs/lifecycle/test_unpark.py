import pytest

from runs import lifecycle
from runs.lifecycle import attempts, moving
from runs.models import Queue, Ready, Run
from runs.states import RunStatus
from tests.support.factories import (
    claim,
    executing_run,
    finish,
    history,
    parked_run,
    queue,
    session,
    task,
)

pytestmark = pytest.mark.django_db


def test_runs_of_a_registered_task_go_on():
    run, other = parked_run(), parked_run("other")
    assert lifecycle.unpark([run.task_id]) == 1
    run.refresh_from_db()
    assert (run.status, run.reason) == (RunStatus.QUEUED, "A cluster registered the task.")
    assert history(run.pk) == ["triggered", "queued"]
    other.refresh_from_db()
    assert other.status == RunStatus.PENDING_VERSION


def test_they_keep_their_key_and_place():
    first, second = (parked_run(concurrency_key="k") for _ in range(2))
    lifecycle.unpark(["unknown"])
    assert [one.run_id for one in claim(session(), 2)] == [first.pk, second.pk]


def test_a_delay_goes_on():
    run = parked_run(delay=60.0)
    lifecycle.unpark(["unknown"])
    run.refresh_from_db()
    assert run.status == RunStatus.DELAYED
    assert Ready.objects.get().not_before == run.delay_until


def test_the_time_to_live_begins():
    run = parked_run(ttl=60.0)
    assert run.expires_at is None
    lifecycle.unpark(["unknown"])
    run.refresh_from_db()
    assert run.expires_at
    assert run.queued_at
    assert (run.expires_at - run.queued_at).total_seconds() == 60


def test_a_run_parked_by_its_worker_starts_again():
    one = executing_run(ttl=60.0)
    finish(attempts.park(*one.lease, "No such task here."))
    lifecycle.unpark(["send"])
    again = claim(session())[0]
    assert (again.run_id, again.attempt) == (one.run_id, 2)


def test_a_run_whose_queue_is_gone_stays_and_says_so():
    queue("mail")
    run, other = parked_run(queue="mail"), parked_run()
    Queue.objects.filter(name="mail").delete()
    assert lifecycle.unpark(["unknown"]) == 1
    run.refresh_from_db()
    assert (run.status, "mail" in run.reason) == (RunStatus.PENDING_VERSION, True)
    other.refresh_from_db()
    assert other.status == RunStatus.QUEUED


@pytest.mark.parametrize("delay", [None, 3600.0])
def test_one_that_another_cluster_let_go_on_meanwhile_is_left_alone(delay):
    parked_run(delay=delay)
    seen = Run.objects.get()
    lifecycle.unpark([seen.task_id])
    Ready.objects.update(not_before=None)
    lifecycle.promote_due()
    Run.objects.filter(status=RunStatus.DELAYED).update(status=RunStatus.QUEUED)
    (one,) = claim(session())
    moving._unpark(seen)
    assert one.run.status == RunStatus.DEQUEUED
    assert not Ready.objects.exists()


def test_many_are_moved_in_batches(monkeypatch):
    monkeypatch.setattr(moving, "BATCH", 3)
    for _ in range(8):
        parked_run()
    assert lifecycle.unpark(["unknown"]) == 8
    assert Ready.objects.count() == 8


def test_nothing_parked_is_nothing_moved():
    task()
    assert lifecycle.unpark(["send"]) == 0
