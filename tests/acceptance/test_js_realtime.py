"""Runs and streams as they change, by the reference's client."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from runs import lifecycle
from runs.models import Run
from runs.states import RunStatus
from tests.support import factories
from tests.support.client import Refused
from tests.support.waiting import eventually
from tests.support.web import serving

pytestmark = pytest.mark.acceptance


def statuses(told):
    return [one["status"] for one in told]


def test_a_subscription_to_a_run_ends_with_it(js, calm):
    run_id, until = calm.hold()
    told = js.start("realtime.run", run_id)
    eventually(lambda: js("realtime.received", run_id))
    until.touch()
    found = told(20)
    assert statuses(found)[-1] == "COMPLETED"
    assert statuses(found)[0] == "EXECUTING"
    assert found[-1]["output"] == json.loads(Run.objects.get(pk=run_id).output)
    assert found[-1]["isOver"]
    assert statuses(js("realtime.run", run_id)) == ["COMPLETED"]


def test_a_failure_and_skipped_columns(js, calm):
    run_id = calm.trigger("flaky", {"fail": 9}, max_attempts=1)
    calm.ended(run_id)
    (told,) = js("realtime.run", run_id, {"skipColumns": ["payload"]})
    assert (told["status"], told["error"]["name"]) == ("FAILED", "ValueError")


def test_a_subscription_to_tags_hears_of_new_runs(js, calm):
    tag = uuid.uuid4().hex
    first = calm.trigger("work", {"n": 1}, tags=(tag, "x"))
    calm.completed(first)
    told = js.start("realtime.tag", [tag, "x"], 3)
    eventually(lambda: js("realtime.received", tag))
    second, until = calm.hold(tags=(tag, "x"))
    eventually(lambda: js("realtime.received", tag) == 2)
    until.touch()
    found = told(20)
    assert found[0]["id"] == first
    assert {one["id"] for one in found} == {first, second}
    assert set(found[0]["tags"]) == {tag, "x"}


def test_a_subscription_to_a_batch_has_its_runs(js, calm):
    made = js("batches.triggerTask", "work", [{"payload": {"n": 1}}, {"payload": {"n": 2}}])
    found = js("realtime.batch", made["batchId"], 2)
    calm.accepted += {one["id"] for one in found}
    assert len({one["id"] for one in found}) in (1, 2)
    eventually(
        lambda: not Run.objects.filter(batch_id=made["batchId"]).exclude(status=RunStatus.COMPLETED)
    )
    calm.accepted += Run.objects.filter(batch_id=made["batchId"]).values_list("id", flat=True)


def test_a_public_token_subscribes_to_its_run_and_to_no_other(js, calm):
    run_id = calm.trigger("work", {"n": 1})
    calm.completed(run_id)
    assert statuses(js("realtime.runByToken", run_id, {"read": {"runs": [run_id]}})) == [
        "COMPLETED"
    ]
    # the client says nothing then: it waits for ever
    other = js.start("realtime.runByToken", run_id, {"read": {"runs": ["run_other"]}})
    with pytest.raises(AssertionError, match="did not return"):
        other(0.5)


def test_streams_are_read_while_the_run_goes_on_and_after_it(js, calm, tmp_path):
    until = tmp_path / "go"
    run_id = calm.trigger("give", {"until": str(until)})
    told = js.start("realtime.withStreams", run_id, "last")
    read = js.start("realtime.read", run_id, "numbers", {"timeoutInSeconds": 10})
    eventually(lambda: Run.objects.get(pk=run_id).executed_at)
    until.touch()
    assert read(20) == [0, 1, 2, "last"]
    assert told(20) == [["numbers", chunk] for chunk in (0, 1, 2, "last")]
    calm.completed(run_id)
    assert js("realtime.read", run_id, "numbers", {"startIndex": 2}) == [2, "last"]


def test_messages_reach_a_run_that_waits_for_them(js, calm):
    run_id = calm.trigger("ask")
    js("realtime.send", "approval", run_id, {"by": "ann"})
    eventually(lambda: Run.objects.get(pk=run_id).status == RunStatus.WAITING)
    js("realtime.send", "approval", run_id, 2)
    assert json.loads(calm.completed(run_id).output) == [{"by": "ann"}, 2]
    with pytest.raises(Refused) as refused:
        js("realtime.send", "approval", run_id, 3)
    assert refused.value.status == 400


def test_a_writer_of_the_client_writes(js, calm):
    run_id, until = calm.hold()
    assert js("realtime.create", run_id, "log")["version"] == "v1"
    js("realtime.write", run_id, "log", [{"n": 1}, "two", [3]])
    js("realtime.append", run_id, "log", "four")
    until.touch()
    assert js("realtime.read", run_id, "log", {}) == [{"n": 1}, "two", [3], "four"]
    calm.completed(run_id)


def test_a_server_that_stops_answers_who_is_held(site):
    factories.task("work")
    run_id = site.trigger("work")
    with ThreadPoolExecutor(1) as other:
        with serving(site.instance) as web:
            path = f"/realtime/v1/runs/{run_id}"
            first = web.request("GET", path, params={"offset": "-1"}).headers
            told = {"offset": first["electric-offset"], "handle": first["electric-handle"]}
            held = other.submit(web.request, "GET", path, params={**told, "live": "true"})
            with pytest.raises(TimeoutError):
                held.result(0.5)
        assert held.result(1).json() == [{"headers": {"control": "up-to-date"}}]
    lifecycle.cancel(run_id, actor="user:vera")
