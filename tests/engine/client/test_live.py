"""Following runs: the rows of the server as runs, one request after the other."""

import httpx
import pytest

from trackside import NotFound

pytestmark = pytest.mark.once
ROW = {
    "id": "7",
    "friendlyId": "run_1",
    "taskIdentifier": "hello",
    "status": "EXECUTING",
    "createdAt": "2026-01-01T00:00:00.000",
    "updatedAt": "2026-01-01T00:00:01.000",
    "runTags": ["a"],
    "metadata": '{"step":1}',
    "metadataType": "application/json",
    "completedAt": None,
}
UP_TO_DATE = {"headers": {"control": "up-to-date"}}


def feed(*rows, offset="1_0", **headers):
    messages = [{"key": "k", "value": row, "headers": {"operation": "insert"}} for row in rows]
    named = {"electric-handle": "h", "electric-offset": offset, "electric-cursor": "c"}
    return httpx.Response(200, json=[*messages, UP_TO_DATE], headers=named | headers)


def test_ends_with_the_run(server):
    done = {"status": "COMPLETED_SUCCESSFULLY", "output": '"x"', "outputType": "application/json"}
    far = server(feed(ROW), feed(), feed(done, offset="2_0"))
    seen = list(far.client().runs.subscribe("run_1", skip=["payload"]))
    assert [run.status for run in seen] == ["EXECUTING", "COMPLETED"]
    assert (seen[1].id, seen[1].tags, seen[1].metadata, seen[1].output) == (
        "run_1",
        ["a"],
        {"step": 1},
        "x",
    )
    assert seen[0].created_at.utcoffset().total_seconds() == 0
    queries = [dict(request.url.params) for request in far.asked]
    assert queries[0] == {"log": "full", "offset": "-1", "skipColumns": "payload"}
    assert queries[2]["handle"] == "h"
    assert queries[2]["offset"] == "1_0"
    assert queries[2]["live"] == "true"


def test_begins_anew_where_the_server_says_so(server):
    again = httpx.Response(409, json=[{"headers": {"control": "must-refetch"}}])
    failed = {**ROW, "status": "COMPLETED_WITH_ERRORS"}
    far = server(feed(ROW), again, feed(failed))
    assert [run.status for run in far.client().runs.subscribe("run_1")] == ["EXECUTING", "FAILED"]
    assert far.asked[2].url.params["offset"] == "-1"


def test_a_run_that_is_not_there_is_an_error(server):
    far = server(httpx.Response(404, json={"error": "no"}))
    with pytest.raises(NotFound):
        next(far.client().runs.subscribe("run_1"))


def test_runs_of_a_batch_and_of_tags(server):
    far = server(feed(ROW))
    client = far.client()
    next(client.batches.subscribe("batch_1"))
    next(client.runs.subscribe_to_tag(["a", "b"], since="1h"))
    assert far.asked[0].url.path == "/base/realtime/v1/batches/batch_1"
    assert dict(far.asked[1].url.params) == {
        "log": "full",
        "tags": "a,b",
        "createdAt": "1h",
        "offset": "-1",
    }
