import pytest

from runs.ids import new_id
from runs.lifecycle import TriggerItem, batches
from runs.models import Source
from tests.support import factories


@pytest.fixture
def batch(db):
    factories.task()
    return batches.trigger(
        [TriggerItem(task_id="send")] * 2, new_id("batch"), source=Source.SDK, key="k"
    )


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_retrieves_a_batch(api, batch, version):
    body = api.get(f"/api/{version}/batches/{batch.batch_id}").json()
    ids = [run.run_id for run in batch.runs]
    assert (body["id"], body["status"], body["runCount"]) == (batch.batch_id, "PROCESSING", 2)
    assert (body["runs"], body["idempotencyKey"]) == (ids, "k")
    assert body["processing"] == {"errors": []}


def test_says_when_it_was_completed(api, batch):
    worker = factories.session()
    for held in factories.claim(worker, 2):
        factories.start(held)
        factories.complete(held)
    body = api.get(f"/api/v2/batches/{batch.batch_id}").json()
    assert (body["status"], body["successfulRunCount"], body["failedRunCount"]) == (
        "COMPLETED",
        2,
        0,
    )
    assert body["processing"]["completedAt"] == body["updatedAt"]


def test_runs_name_their_batch(api, batch):
    run = api.get(f"/api/v3/runs/{batch.runs[0].run_id}").json()
    assert (run["batchId"], run["triggerFunction"]) == (batch.batch_id, "batchTrigger")
    listed = api.get("/api/v1/runs", **{"filter[batch]": batch.batch_id}).json()["data"]
    assert len(listed) == 2


@pytest.mark.parametrize(
    ("batch_id", "again"), [("batch_1", "true"), ("x", "false"), ("batch_%00", "false")]
)
def test_an_unknown_batch_is_a_404(api, batch_id, again):
    answer = api.get(f"/api/v2/batches/{batch_id}")
    assert (answer.status_code, answer["x-should-retry"]) == (404, again)


def test_needs_a_key(client, batch):
    assert client.get(f"/api/v2/batches/{batch.batch_id}").status_code == 401
