"""The reference's client triggers, reads and changes runs of a real web server and cluster."""

import hashlib
import json

import pytest

from tests.support.client import Refused

pytestmark = pytest.mark.acceptance


@pytest.fixture
def triggered(js, calm):
    """Triggers, and has the run's end waited for."""

    def trigger(*arguments, call="runs.trigger"):
        made = js(call, *arguments)
        calm.accepted.append(made["id"])
        return made["id"]

    return trigger


def refused(js, status, *arguments):
    with pytest.raises(Refused) as refused:
        js(*arguments)
    assert refused.value.status == status, refused.value
    return refused.value


def test_a_run_is_triggered_with_every_option_and_polled(js, calm, triggered):
    options = {
        "queue": "task/echo", "concurrencyKey": 7, "delay": "2026-01-01T00:00:00Z", "ttl": "1h", "tags": ["b", "a"],
        "metadata": {"n": 1}, "priority": 3, "maxAttempts": 2, "maxDuration": 60, "machine": "micro", "region": "us",
        "idempotencyKey": "every option", "idempotencyKeyTTL": "1h",
    }  # fmt: skip
    run_id = triggered("echo", {"to": "ann"}, options)
    run = js("runs.poll", run_id)
    assert (run["status"], run["isCompleted"], run["isSuccess"]) == ("COMPLETED", True, True)
    assert (run["payload"], run["output"]) == ({"to": "ann"}, {"to": "ann"})
    assert (run["tags"], run["metadata"], run["ttl"]) == (["a", "b"], {"n": 1}, "3600s")
    assert run["idempotencyKey"] == "every option"
    stored = calm.run(run_id)
    assert (stored.concurrency_key, stored.machine, stored.priority) == ("7", "micro", 3)
    assert js("runs.result", run_id)["output"] == '{"to":"ann"}'


def test_values_of_javascript_arrive_as_json(calm, triggered):
    rich = calm.completed(triggered("echo", call="runs.triggerRich"))
    assert json.loads(rich.output) == {
        "when": "2026-01-02T03:04:05.000Z", "much": "12345678901234567890", "set": [1, 2], "none": None,
    }  # fmt: skip
    nothing = calm.completed(triggered("echo", call="runs.triggerNothing"))
    assert (nothing.payload, nothing.output) == (None, None)
    assert json.loads(calm.completed(triggered("echo", "plain “text”")).output) == "plain “text”"


def test_a_failure_is_told_with_its_causes(js, triggered):
    run_id = triggered("fail_because", None)
    run = js("runs.poll", run_id)
    assert (run["status"], run["isFailed"], run["attemptCount"]) == ("FAILED", True, 1)
    assert (run["error"]["name"], run["error"]["message"]) == ("ValueError", "told to fail")
    assert run["error"]["causes"] == [{"name": "KeyError", "message": "'the reason'"}]
    result = js("runs.result", run_id)
    assert (result["ok"], result["error"]["type"]) == (False, "BUILT_IN_ERROR")


def test_a_delayed_run_is_moved_tagged_noted_canceled_and_replayed(js, calm, triggered):
    run_id = triggered("echo", {"a": 1}, {"delay": "1h", "metadata": {"n": 2, "l": 1}})
    moved = js("runs.reschedule", run_id, "2h")
    assert (moved["status"], moved["id"]) == ("DELAYED", run_id)
    assert js("runs.addTags", run_id, ["x", "x"])["message"]
    operations = [
        {"type": "set", "key": "$.deep[0].er", "value": None},
        {"type": "append", "key": "l", "value": 2},
        {"type": "remove", "key": "l", "value": 1},
        {"type": "increment", "key": "n", "value": -0.5},
        {"type": "delete", "key": "nothing"},
    ]
    changes = {"operations": operations, "parentOperations": [], "metadata": {"ignored": 1}}
    noted = {"n": 1.5, "l": [2], "deep": [{"er": None}]}
    assert js("runs.updateMetadata", run_id, changes) == {"metadata": noted}
    assert js("runs.metadata", run_id) == {"metadata": noted}
    assert js("runs.result", run_id) is None  # the client's word for 404
    assert js("runs.cancel", run_id) == js("runs.cancel", run_id) == {"id": run_id}
    assert js("runs.retrieve", run_id)["isCancelled"]
    again = triggered(run_id, call="runs.replay")
    assert json.loads(calm.completed(again).output) == {"a": 1}
    assert calm.run(again).metadata == '{"n":2,"l":1}'


def test_a_replay_takes_every_override(js, calm, triggered):
    run_id = triggered("echo", 1, {"delay": "1h"})
    changes = {
        "payload": {"b": 2}, "metadata": {"m": 1}, "tags": ["q"], "queue": "task/work", "concurrencyKey": "k",
        "machine": "micro", "region": "x", "delay": "1m", "ttl": 60, "idempotencyKey": "for a replay",
        "idempotencyKeyTTL": "1h", "maxAttempts": 2, "maxDuration": 10, "priority": 1, "version": "of old",
    }  # fmt: skip
    replay = calm.run(triggered(run_id, changes, call="runs.replay"))
    assert (replay.payload, replay.metadata, replay.tag_list) == ('{"b":2}', '{"m":1}', ["q"])
    assert (replay.queue, replay.concurrency_key, replay.machine) == ("task/work", "k", "micro")
    assert (replay.status, replay.ttl, replay.max_attempts) == ("DELAYED", 60, 2)
    assert (replay.max_duration, replay.priority, replay.version) == (10, 1, "of old")
    assert replay.idempotency_key
    for one in (run_id, replay.pk):
        js("runs.cancel", one)


def test_keys_find_their_run_until_it_failed_or_they_are_reset(js, calm, triggered):
    first = triggered("echo", {}, ["order", "7"], call="runs.keyed")
    assert calm.completed(first).idempotency_key == "order-7"
    again = js("runs.keyed", "echo", {}, ["order", "7"])
    assert (again["id"], again["isCached"]) == (first, True)
    key = hashlib.sha256(b"order-7").hexdigest()
    assert js("runs.resetKey", "echo", ["order", "7"]) == {"id": key}
    refused(js, 404, "runs.resetKey", "echo", ["order", "7"])
    assert triggered("echo", {}, ["order", "7"], call="runs.keyed") != first
    assert js("runs.resetText", "echo", "order-7")["id"]
    failed = triggered("fail_because", None, "a key", call="runs.keyed")
    calm.ended(failed)
    assert triggered("fail_because", None, "a key", call="runs.keyed") != failed


def test_lists_are_filtered_and_paged(js, calm):
    runs = calm.trigger_many("work", [1, 2, 3], delay=3600.0, tags=("listed",), machine="micro")
    asked = {
        "tag": ["listed", "nobody"], "status": ["DELAYED", "QUEUED"], "taskIdentifier": "work", "isTest": False,
        "queue": {"type": "task", "name": "work"}, "machine": "micro", "period": "1d", "from": 0,
    }  # fmt: skip
    assert js("runs.list", {**asked, "limit": 2})["ids"] == runs[:0:-1]
    assert js("runs.listAll", {**asked, "limit": 2}) == runs[::-1]
    assert js("runs.listOfProject", {**asked, "env": "dev"}) == runs[::-1]
    for other in (
        {"batch": "batch_x"}, {"schedule": "sched_x"}, {"version": "x"}, {"bulkAction": "bulk_x"}, {"region": "x"},
        {"isTest": True}, {"from": 4102444800000}, {"to": 1000},
    ):  # fmt: skip
        assert js("runs.list", {**asked, **other})["ids"] == [], other
    for run_id in runs:
        js("runs.cancel", run_id)


def test_what_is_refused_is_the_clients_error_at_once(js, calm):
    many = {"tags": [f"{n}" for n in range(11)]}
    error = refused(js, 422, "runs.trigger", "work", {}, many)
    assert (error.kind, "at most 10 tags; got 11" in error.message) == (
        "UnprocessableEntityError",
        True,
    )
    refused(js, 400, "runs.trigger", "work", {}, {"tags": ["x" * 129]})
    refused(js, 400, "runs.trigger", "work", {}, {"delay": "banana"})
    refused(js, 422, "runs.trigger", "work", {}, {"debounce": {"key": "k", "delay": "banana"}})
    refused(js, 422, "runs.trigger", "work", {}, {"concurrency": "limit"})
    refused(js, 404, "runs.retrieve", "run_" + "0" * 26)
    refused(js, 404, "runs.cancel", "run_nobody")
    refused(js, 404, "runs.replay", "run_x y")
    refused(js, 400, "runs.list", {"limit": 101})
    refused(js, 400, "runs.list", {"status": "DONE"})
