"""The trace of a run by the API, and the callers' place in theirs."""

import pytest

from runs import tracing
from runs.models import Run
from tests.dashboard.pages.test_run_trace import add, with_event
from tests.support import rows

pytestmark = pytest.mark.django_db
CALLER = f"00-{'a' * 32}-{'b' * 16}-01"


def traced(api, **headers):
    answer = api.trigger(body={"payload": 1}, **headers)
    assert answer.status_code == 200
    return Run.objects.get(pk=answer.json()["id"])


def test_a_run_knows_who_called(api):
    run = traced(api, traceparent=CALLER, tracestate="vendor=1")
    assert (run.traceparent, run.tracestate) == (CALLER, "vendor=1")


@pytest.mark.parametrize("header", ["", "garbage", f"00-{'0' * 32}-{'b' * 16}-01", "x" * 9000])
def test_headers_that_cannot_be_read_are_left_out(api, header):
    assert traced(api, traceparent=header, tracestate="vendor=1").traceparent is None


def test_a_tracestate_alone_means_nothing(api):
    assert traced(api, tracestate="vendor=1").tracestate is None


def test_a_tree_and_a_list_of_the_same(api):
    run = rows.completed_run()
    outer = add(run, "outer", attributes='{"rows": 3}')
    add(run, "inner", outer, status="error", error="ValueError: no", kind="http")
    told = api.get(f"/api/v3/runs/{run.pk}/trace").json()
    root = told["trace"]["rootSpan"]
    (attempt,) = [one for one in root["children"] if one["data"]["message"] == "Attempt 1"]
    (found,) = attempt["children"]
    assert told["trace"]["traceId"] == tracing.trace_id_of(run.pk)
    assert (root["runId"], root["data"]["isPartial"], told["isPartial"]) == (run.pk, False, False)
    assert (found["id"], found["data"]["properties"]) == (outer, {"rows": 3})
    inner = found["children"][0]["data"]
    assert (inner["isError"], inner["level"], inner["duration"]) == (True, "ERROR", 10_000_000)
    assert inner["events"][0]["properties"] == {"exception": {"message": "ValueError: no"}}
    events = api.get(f"/api/v1/runs/{run.pk}/events").json()["events"]
    assert [one["message"] for one in events if one["message"] != "In the queue"] == [
        "hello",
        "Attempt 1",
        "outer",
        "inner",
    ]
    assert (events[-1]["parentId"], events[-1]["kind"]) == (outer, "CLIENT")


def test_what_happened_in_a_span_is_told(api):
    run = rows.completed_run()
    with_event(run)
    events = api.get(f"/api/v1/runs/{run.pk}/events").json()["events"]
    (told,) = [one for one in events if one["message"] == "eventful"]
    assert told["properties"] == {"rows": 3}
    assert (told["events"][0]["name"], told["events"][0]["properties"]) == (
        "cache <miss>",
        {"key": "a"},
    )


def test_spans_as_deep_as_code_goes_are_told(api):
    run = rows.completed_run()
    above = ""
    for number in range(300):
        above = add(run, f"n{number}", above)
    assert b"n299" in api.get(f"/api/v1/runs/{run.pk}/trace").content


def test_there_is_no_trace_of_no_run(api):
    for run_id in ("run_" + "0" * 26, "nonsense"):
        for name in ("trace", "events"):
            assert api.get(f"/api/v1/runs/{run_id}/{name}").status_code == 404


def test_a_bad_place_is_refused_by_the_verb():
    with pytest.raises(Exception, match="traceparent is as 00-"):
        rows.queued_run(traceparent="garbage")
