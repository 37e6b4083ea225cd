import pytest
from django.db import transaction

from engine import task, tasks
from engine.launching import StoredRuns
from engine.runtime import install
from runs.errors import InvalidPayload, PayloadTooLarge, UnknownQueue
from runs.models import Run

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _stored_runs():
    before = install(StoredRuns())
    yield
    install(before)


def test_a_trigger_is_a_stored_run():
    @task
    def charge(payload): ...

    handle = charge.trigger({"id": 7}, tags="vip", delay="1h", metadata={"k": 1})
    run = Run.objects.get(pk=handle.id)
    assert (run.task_id, run.payload, run.tag_list) == ("charge", '{"id":7}', ["vip"])
    assert (run.source, run.metadata, run.delay_until is not None) == ("sdk", '{"k":1}', True)


def test_a_batch_is_stored_in_order():
    runs = tasks.batch_trigger("charge", [{"payload": number} for number in range(5)])
    stored = Run.objects.in_bulk([run.id for run in runs])
    assert [stored[run.id].payload for run in runs] == ["0", "1", "2", "3", "4"]


def test_it_belongs_to_the_callers_transaction():
    with transaction.atomic():
        tasks.trigger("charge")
        transaction.set_rollback(True)
    assert not Run.objects.exists()


def test_an_idempotency_key_finds_the_earlier_run():
    first, again = (tasks.trigger("charge", idempotency_key="order-7") for _ in range(2))
    assert (first.id, first.is_cached) == (again.id, False)
    assert again.is_cached


def test_refuses_what_the_engine_refuses(settings):
    with pytest.raises(UnknownQueue):
        tasks.trigger("charge", queue="nowhere")
    settings.TRACKSIDE = {"PAYLOAD_LIMIT": 100}
    with pytest.raises(PayloadTooLarge):
        tasks.trigger("charge", "x" * 100)
    with pytest.raises(InvalidPayload):
        tasks.trigger("charge", {1, object()})
