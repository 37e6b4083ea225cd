import json
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from runs import lifecycle
from runs.lifecycle import batchstream
from runs.models import Batch, Run
from tests.support import factories

pytestmark = pytest.mark.django_db

LINES = "application/x-ndjson"


@pytest.fixture(autouse=True)
def _task(db):
    factories.task()


def opened(api, count, **body):
    answer = api.post("/api/v3/batches", {"runCount": count, "taskIdentifiers": ["send"], **body})
    assert answer.status_code == 202, answer.content
    return answer.json()


def line(index, payload=None, task="send", **options):
    item = {"index": index, "task": task, "options": options}
    if payload is not None:
        item |= {"payload": json.dumps(payload)}
        item["options"] = {"payloadType": "application/json", **options}
    return item


def send(api, batch_id, *lines, kind=LINES):
    text = b"".join(
        one if isinstance(one, bytes) else json.dumps(one).encode() + b"\n" for one in lines
    )
    path = f"/api/v3/batches/{batch_id}/items"
    return api.client.post(path, text, content_type=kind, headers=api.headers)


def retrieved(api, batch_id):
    return api.get(f"/api/v2/batches/{batch_id}").json()


def test_a_batch_is_opened_filled_and_sealed(api):
    batch = opened(api, 2)
    assert (batch["runCount"], batch["isCached"]) == (2, False)
    assert retrieved(api, batch["id"])["status"] == "PENDING"
    sent = send(api, batch["id"], line(1, {"n": 1}, tags=["b"]), line(0, {"n": 0})).json()
    assert sent == {
        "id": batch["id"], "itemsAccepted": 2, "itemsDeduplicated": 0, "sealed": True
    }  # fmt: skip
    told = retrieved(api, batch["id"])
    assert (told["status"], told["runCount"], told["processing"]) == (
        "PROCESSING",
        2,
        {"errors": []},
    )
    runs = [Run.objects.get(pk=run_id) for run_id in told["runs"]]
    assert [json.loads(run.payload) for run in runs] == [{"n": 0}, {"n": 1}]
    assert runs[1].tag_list == ["b"]
    assert {run.batch_id for run in runs} == {batch["id"]}


def test_a_stream_that_is_sent_again_makes_only_what_was_missing(api):
    batch_id = opened(api, 3)["id"]
    first = send(api, batch_id, line(2)).json()
    assert (first["sealed"], first["enqueuedCount"], first["expectedCount"]) == (False, 1, 3)
    again = send(api, batch_id, line(0), line(1), line(2), line(2)).json()
    assert (again["itemsAccepted"], again["itemsDeduplicated"], again["sealed"]) == (2, 2, True)
    late = send(api, batch_id, line(0), line(1), line(2)).json()
    assert (late["itemsAccepted"], late["itemsDeduplicated"], late["sealed"]) == (0, 0, True)
    runs = retrieved(api, batch_id)["runs"]
    assert len(runs) == Run.objects.count() == 3
    assert runs[2] == min(runs)  # it came first and stands last


def test_a_bad_item_is_told_and_keeps_no_other_from_running(api, settings):
    settings.TRACKSIDE = {"PAYLOAD_LIMIT": 1000}
    factories.task("strict", schema='{"type": "integer"}')
    batch_id = opened(api, 5)["id"]
    sent = send(
        api,
        batch_id,
        line(0, "x", task="strict"),
        line(1, 1, task="strict"),
        line(2, queue={"name": "nowhere"}),
        line(3, "x" * 2000),
        line(4, maxAttempts="many"),
    ).json()
    assert (sent["itemsAccepted"], sent["sealed"]) == (5, True)
    told = retrieved(api, batch_id)
    errors = told["processing"]["errors"]
    assert [(one["index"], one["errorCode"]) for one in errors] == [
        (0, "INVALID_PAYLOAD"),
        (2, "UNKNOWN_QUEUE"),
        (3, "PAYLOAD_TOO_LARGE"),
        (4, "BATCH_ITEM_COULD_NOT_TRIGGER"),
    ]
    assert "options.maxAttempts" in errors[3]["error"]
    assert (errors[0]["taskIdentifier"], len(told["runs"])) == ("strict", 1)
    end(told["runs"])
    assert retrieved(api, batch_id)["status"] == "PARTIAL_FAILED"


def test_items_a_full_queue_has_no_room_for_are_told(api, settings):
    settings.TRACKSIDE = {"QUEUE_SIZE_LIMIT": 2}
    batch_id = opened(api, 3)["id"]
    send(api, batch_id, line(0), line(1), line(2))
    told = retrieved(api, batch_id)
    (error,) = told["processing"]["errors"]
    assert (error["index"], error["errorCode"]) == (2, "QUEUE_SIZE_LIMIT_EXCEEDED")
    assert len(told["runs"]) == 2


def test_a_batch_of_bad_items_alone_is_aborted(api):
    batch_id = opened(api, 1)["id"]
    send(api, batch_id, line(0, queue={"name": "nowhere"}))
    told = retrieved(api, batch_id)
    assert (told["status"], told["runs"]) == ("ABORTED", [])
    assert "completedAt" in told["processing"]


def test_a_batch_whose_items_do_not_all_come_is_aborted(api):
    batch_id = opened(api, 2, idempotencyKey="k")["id"]
    send(api, batch_id, line(0))
    Batch.objects.update(seals_by=timezone.now() - timedelta(seconds=1))
    assert retrieved(api, batch_id)["status"] == "ABORTED"
    answer = send(api, batch_id, line(1))
    assert (answer.status_code, "aborted" in answer.json()["error"]) == (422, True)
    assert opened(api, 2, idempotencyKey="k")["id"] != batch_id


def test_a_key_finds_its_batch_and_fills_one_that_was_left(api):
    batch_id = opened(api, 1, idempotencyKey="k")["id"]
    again = opened(api, 1, idempotencyKey="k")
    assert (again["id"], again["isCached"], again["idempotencyKey"]) == (batch_id, False, "k")
    send(api, batch_id, line(0))
    assert opened(api, 1, idempotencyKey="k")["isCached"] is True


def test_a_repeated_request_opens_one_batch(api):
    sent = [
        api.post("/api/v3/batches", {"runCount": 1}, x_trigger_request_idempotency_key=key).json()
        for key in ("r", "r", "s")
    ]
    assert (sent[0]["id"] == sent[1]["id"], sent[0]["id"] == sent[2]["id"]) == (True, False)


def test_items_whose_key_finds_a_run_share_it(api):
    batch_id = opened(api, 3)["id"]
    send(api, batch_id, *(line(n, idempotencyKey="k") for n in (0, 2)), line(1))
    runs = retrieved(api, batch_id)["runs"]
    assert (len(runs), runs[0] == runs[2], Run.objects.count()) == (3, True, 2)


def test_more_than_are_made_together(api, monkeypatch):
    monkeypatch.setattr("dashboard.api.batchstream.TOGETHER", 2)
    batch_id = opened(api, 5)["id"]
    sent = send(api, batch_id, *map(line, range(5))).json()
    assert (sent["itemsAccepted"], sent["sealed"], Run.objects.count()) == (5, True, 5)


def test_large_items_are_stored_as_they_came_and_not_kept_in_memory(api):
    payload = "é\"\\%s$1'{}" * 10_000
    batch_id = opened(api, 3)["id"]
    assert send(api, batch_id, *(line(n, payload) for n in range(3))).json()["sealed"]
    assert [json.loads(run.payload) for run in Run.objects.all()] == [payload] * 3
    if connection.vendor == "postgresql":  # whose driver keeps the statements it has seen
        statements = [query for query, _ in connection.connection._prepared._counts]
        assert statements
        assert max(map(len, statements)) < len(payload)


@pytest.mark.parametrize(
    ("lines", "status", "word"),
    [
        ([b"{\n"], 400, "Line 1"),
        ([line(0), b'\n{"task": "send"}'], 400, "Line 3: index"),
        ([{"index": 0, "task": 1}], 400, "task"),
        ([line(2)], 422, "indexes are 0 to 1"),
        ([line(-1)], 422, "indexes are 0 to 1"),
    ],
)
def test_lines_that_are_no_items_are_refused(api, lines, status, word):
    answer = send(api, opened(api, 2)["id"], *lines)
    assert (answer.status_code, word in answer.json()["error"]) == (status, True), answer.json()


def test_says_what_else_is_wrong(api, settings):
    batch_id = opened(api, 1)["id"]
    assert send(api, batch_id, line(0), kind="application/json").status_code == 415
    assert send(api, "batch_1", line(0)).status_code == 422
    assert api.client.post(f"/api/v3/batches/{batch_id}/items").status_code == 401
    settings.TRACKSIDE = {"BATCH_LIMIT": 40}
    assert send(api, batch_id, line(0)).status_code == 413
    for count in (0, batchstream.MOST_ITEMS + 1):
        assert api.post("/api/v3/batches", {"runCount": count}).status_code == 400
    asked = {"runCount": 1, "resumeParentOnCompletion": 1}
    assert api.post("/api/v3/batches", asked).status_code == 400


def end(runs, output='{"ok": 1}'):
    worker = factories.session()
    for held in factories.claim(worker, len(runs)):
        factories.start(held)
        factories.complete(held, output=output)


def test_results_are_those_of_ended_runs(api):
    batch_id = opened(api, 3)["id"]
    send(api, batch_id, line(0), line(1), line(2))
    ids = retrieved(api, batch_id)["runs"]
    api.post(f"/api/v2/runs/{ids[2]}/cancel", {"reason": "no need"})
    end(ids[:1])
    results = json.loads(api.get(f"/api/v1/batches/{batch_id}/results").getvalue())
    done = next(one for one in results["items"] if one["ok"])
    stopped = next(one for one in results["items"] if not one["ok"])
    assert (stopped["id"], stopped["error"]["type"]) == (ids[2], "STRING_ERROR")
    assert api.get(f"/api/v1/runs/{ids[2]}/result").json() == stopped
    left = set(ids) - {one["id"] for one in results["items"]}
    assert {api.get(f"/api/v1/runs/{run_id}/result").status_code for run_id in left} == {404}
    assert (done["output"], done["outputType"]) == ('{"ok": 1}', "application/json")


def test_a_batch_that_waits_for_its_items_is_not_pruned(api):
    batch_id = opened(api, 1)["id"]
    later = timezone.now() + timedelta(days=1)
    assert lifecycle.prune_batches(later) == 0
    Batch.objects.update(seals_by=timezone.now() - timedelta(seconds=1))
    assert lifecycle.prune_batches(later) == 1
    assert not Batch.objects.filter(pk=batch_id).exists()
