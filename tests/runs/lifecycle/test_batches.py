from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs.debounce import Debounce
from runs.errors import InvalidOption, InvalidPayload, NotFound
from runs.ids import new_id
from runs.lifecycle import TriggerItem, TriggerOptions, batches, batchstream
from runs.models import Batch, Run, Source
from runs.reads import batches as reads
from tests.support import factories
from tests.support.threads import together

pytestmark = pytest.mark.django_db


def items(*keys, task_id="send"):
    return [
        TriggerItem(task_id=task_id, options=TriggerOptions(idempotency_key=key)) for key in keys
    ]


def trigger(wanted, batch_id=None, **facts):
    return batches.trigger(wanted, batch_id or new_id("batch"), source=Source.SDK, **facts)


@pytest.fixture(autouse=True)
def _task(request):
    factories.task()


def test_a_batch_is_stored_with_its_runs():
    made = trigger(items(None, None, None))
    batch = Batch.objects.get(pk=made.batch_id)
    assert (batch.run_count, batch.task_list, batch.found) == (3, ["send"], "[]")
    ids = [run.run_id for run in made.runs]
    assert reads.run_ids(batch) == ids
    assert set(Run.objects.filter(batch_id=batch.pk).values_list("id", flat=True)) == set(ids)


def test_a_bad_item_makes_neither_runs_nor_batch():
    factories.task("strict", schema='{"type": "integer"}')
    bad = TriggerItem(task_id="strict", payload='"x"')
    with pytest.raises(InvalidPayload, match="Item 1"):
        trigger([*items(None), bad])
    assert not Batch.objects.exists()
    assert not Run.objects.exists()


def test_runs_its_items_keys_found_stand_in_their_places():
    first = trigger(items("b")).runs[0].run_id
    made = trigger(items("a", "b", None, "a"))
    batch = Batch.objects.get(pk=made.batch_id)
    ids = [run.run_id for run in made.runs]
    assert ids[1] == first
    assert ids[3] == ids[0]
    assert reads.run_ids(batch) == ids
    standing = reads.progress([batch])[batch.pk]
    assert standing.open == 3  # three runs, one of another batch
    assert batch.run_count == 4


def test_debounced_items_get_one_run_each_in_its_place():
    wanted = [
        TriggerItem(task_id="send", options=TriggerOptions(debounce=Debounce("k", 10.0)))
        for _ in range(3)
    ]
    made = trigger([*wanted, *items(None)])
    first, second, third, other = (run.run_id for run in made.runs)
    assert first == second == third != other
    batch = Batch.objects.get(pk=made.batch_id)
    assert reads.run_ids(batch) == [first, first, first, other]
    assert Run.objects.count() == 2


def test_its_status_is_that_of_its_runs():
    one = factories.executing_run()
    made = trigger(items("x", None))
    Run.objects.filter(pk=one.run_id).update(batch_id=made.batch_id)
    batch = reads.find(made.batch_id)
    assert reads.described(batch)["status"] == "PROCESSING"
    factories.complete(one)
    worker = factories.session()
    for held in factories.claim(worker, 2):
        factories.start(held)
        factories.finish(factories.attempts.fail(*held.lease, factories.ERROR, factories.S.FAILED))
    found = reads.described(batch)
    assert found["status"] == "COMPLETED"
    assert (found["successful_run_count"], found["failed_run_count"]) == (1, 2)


def test_progress_costs_the_same_for_many_batches():
    made = [reads.find(trigger(items(None)).batch_id) for _ in range(5)]
    with CaptureQueriesContext(connection) as captured:
        assert len(reads.progress(made)) == 5
    assert len(captured) == 1


def test_a_key_makes_one_batch():
    first = trigger(items(None, None), key="import-7")
    again = trigger(items(None, None), key="import-7")
    assert (again.batch_id, again.is_cached) == (first.batch_id, True)
    assert [run.run_id for run in again.runs] == [run.run_id for run in first.runs]
    assert Run.objects.count() == 2
    assert trigger(items(None), key="import-8").is_cached is False


def test_a_key_expires():
    first = trigger(items(None), key="k", key_ttl=60)
    Batch.objects.update(idempotency_expires_at=timezone.now() - timedelta(seconds=1))
    again = trigger(items(None), key="k")
    assert again.batch_id != first.batch_id
    assert Batch.objects.get(pk=first.batch_id).idempotency_key == "k"


def test_a_key_that_is_rolled_back_is_free():
    with transaction.atomic():
        trigger(items(None), key="k")
        transaction.set_rollback(True)
    assert trigger(items(None), key="k").is_cached is False


@pytest.mark.parametrize(
    "facts", [{"key": "k" * 2049}, {"key": "a\x00"}, {"key": "k", "key_ttl": -1}]
)
def test_a_bad_key_is_refused(facts):
    with pytest.raises(InvalidOption):
        trigger(items(None), **facts)
    assert not Batch.objects.exists()


def test_the_same_batch_takes_up_what_was_missing():
    made = trigger(items(None, None))
    more = trigger(items(None), made.batch_id)
    batch = Batch.objects.get()
    assert batch.run_count == 3
    assert reads.run_ids(batch) == [run.run_id for run in [*made.runs, *more.runs]]


def test_a_batch_that_is_not_there_is_said_so():
    with pytest.raises(NotFound, match="There is no batch batch_x"):
        reads.find("batch_x\x00")


@pytest.mark.django_db(transaction=True)
def test_of_callers_at_once_one_makes_the_batch():
    made = together([lambda: trigger(items(None, None), key="k")] * 4)
    assert len({one.batch_id for one in made}) == 1
    assert sorted(one.is_cached for one in made) == [False, True, True, True]
    assert Run.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_of_streams_at_once_each_item_makes_one_run():
    batch, _ = batchstream.open_batch(batchstream.Asked(3), source=Source.API)
    sent = [batchstream.Offered(n, "send", TriggerItem(task_id="send")) for n in range(3)]
    added = together([lambda: batchstream.add(batch.pk, sent, source=Source.API)] * 4)
    assert sorted(one.accepted for one in added) == [0, 0, 0, 3]
    assert all(one.is_sealed for one in added)
    assert Run.objects.count() == 3
