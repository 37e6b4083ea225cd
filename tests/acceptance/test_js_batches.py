"""Batches by the reference's client: opened, then filled by a chunked stream of lines."""

import json

import pytest

from runs import lifecycle
from runs.models import Batch, Run
from tests.support.client import Refused
from tests.support.waiting import eventually

pytestmark = pytest.mark.acceptance
ITEMS = [{"id": "echo", "payload": {"n": 0}}, {"id": "work", "payload": None, "options": {"tags": "z"}}]  # fmt: skip


@pytest.fixture
def told(js, calm):
    """How a batch stands; its runs are this test's."""

    def retrieve(made):
        found = js("batches.retrieve", made["batchId"])
        calm.accepted += set(found["runs"]) - set(calm.accepted)
        return found

    return retrieve


def test_items_of_several_tasks_run_in_one_batch(js, told):
    made = js("batches.trigger", ITEMS)
    assert (made["runCount"], bool(made["publicAccessToken"])) == (2, True)
    done = eventually(lambda: (found := told(made))["status"] == "COMPLETED" and found)
    assert (done["runCount"], done["processing"]["errors"]) == (2, [])
    runs = [Run.objects.get(pk=run_id) for run_id in done["runs"]]
    assert [(run.task_id, run.tag_list) for run in runs] == [("echo", []), ("work", ["z"])]
    assert [json.loads(run.payload) for run in runs] == [{"n": 0}, None]
    assert js("runs.list", {"batch": done["id"]})["ids"] == sorted(done["runs"], reverse=True)
    assert runs[0].batch_id == done["id"] == js("runs.retrieve", runs[0].pk)["batchId"]


def test_every_way_to_trigger_one(js, told):
    for made in (
        js("batches.triggerTask", "echo", [{"payload": 1}]),
        js("batches.triggerByTask", [{"id": "echo", "payload": 1}]),
        js("batches.streamed", "echo", 3),
    ):
        found = told(made)
        assert len(found["runs"]) == found["runCount"] == made["runCount"]


@pytest.mark.parametrize("call", ["batches.trigger", "batches.keyed"])
def test_a_key_makes_one_batch_and_one_run_of_each_item(js, told, call):
    key = {"idempotencyKey": "news-7"} if call == "batches.trigger" else "news-8"
    made, again = (js(call, ITEMS, key) for _ in range(2))
    assert made["batchId"] == again["batchId"]
    found = told(made)
    assert len(set(found["runs"])) == Run.objects.filter(batch_id=found["id"]).count() == 2
    assert found["idempotencyKey"]


def test_a_thousand_items(js, calm):
    made = js("batches.many", "nobody-has-this-task", 1000)
    batch = Batch.objects.get(pk=made["batchId"])
    assert (len(batch.placed_runs), batch.seals_by) == (1000, None)
    runs = Run.objects.filter(batch_id=batch.pk)
    assert set(runs.values_list("status", flat=True)) == {"PENDING_VERSION"}
    (last,) = runs.filter(pk=dict(batch.placed_runs)[999])
    assert json.loads(last.payload) == {"n": 999}
    lifecycle.purge(runs, actor="cli:tests")


def test_an_item_that_cannot_run_is_told(js, told):
    items = [{"id": "echo", "payload": 1}, {"id": "echo", "options": {"queue": "nowhere"}}]
    found = told(js("batches.trigger", items))
    (error,) = found["processing"]["errors"]
    assert (error["index"], error["taskIdentifier"]) == (1, "echo")
    assert (error["errorCode"], len(found["runs"])) == ("UNKNOWN_QUEUE", 1)


def test_too_many_items_and_nobodys_batch_are_refused(js):
    with pytest.raises(Refused, match="1 to 1,000 items"):
        js("batches.many", "echo", 1001)
    with pytest.raises(Refused) as refused:
        js("batches.retrieve", "nobody")
    assert refused.value.status == 404
