import pytest

from runs import lifecycle
from runs.lifecycle import definitions, keys
from runs.models import Bucket, Ready, Run, Source
from tests.support.factories import claim, complete, dequeued_run, session, task, trigger
from tests.support.threads import together

pytestmark = pytest.mark.django_db


def emptied(key="k"):
    """A bucket that was served long ago and is empty."""
    lifecycle.cancel(trigger(concurrency_key=key).pk, actor="t")


def test_an_idle_keyed_bucket_is_removed():
    emptied()
    assert lifecycle.prune_buckets() == 1
    assert not Bucket.objects.exists()
    assert lifecycle.prune_buckets() == 0


def test_a_bucket_without_a_key_stays():
    emptied(key=None)
    assert lifecycle.prune_buckets() == 0


def test_a_bucket_with_a_run_stays():
    trigger(concurrency_key="k", delay=60.0)
    assert lifecycle.prune_buckets() == 0


def test_a_bucket_with_a_lease_stays():
    dequeued_run(concurrency_key="k")
    Bucket.objects.update(served=0)
    assert lifecycle.prune_buckets() == 0


def test_a_bucket_just_served_stays():
    complete(dequeued_run(concurrency_key="k"))
    assert lifecycle.prune_buckets() == 0


@pytest.mark.django_db(transaction=True)
def test_a_trigger_and_the_pruner_agree():
    task()
    for _ in range(10):
        emptied()
        together([lambda: trigger(concurrency_key="k"), lifecycle.prune_buckets])
        assert Bucket.objects.filter(pk=Ready.objects.get().bucket_id).exists()
        held = claim(session(), 5)
        assert [one.run.status for one in held] == ["DEQUEUED"]
        complete(held[0])
        Bucket.objects.update(served=0)
        lifecycle.prune_buckets()
    assert Run.objects.count() == 20


@pytest.mark.django_db(transaction=True)
def test_a_return_from_parking_and_the_pruner_agree():
    for _ in range(10):
        run = lifecycle.trigger(
            "late", None, lifecycle.TriggerOptions(concurrency_key="k"), source=Source.SDK
        )
        Bucket.objects.get_or_create(
            queue_id=definitions.queue_id("task/late"),
            key_hash=keys.hashed("k"),
            defaults={"concurrency_key": "k"},
        )
        together([lambda: lifecycle.unpark(["late"]), lifecycle.prune_buckets])
        assert Bucket.objects.filter(pk=Ready.objects.get().bucket_id).exists()
        lifecycle.cancel(run.run_id, actor="t")
