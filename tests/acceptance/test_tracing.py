"""One trace from a caller through runs to the service they call, and its copy in a collector."""

import json

import pytest
from django.test import Client

from runs.lifecycle import apikeys
from runs.models import Run
from runs.tracing import attempt_span_id, entry_span_id
from tests.support.collector import collecting
from tests.support.waiting import eventually

pytestmark = pytest.mark.acceptance
TRACE, CALLER = "a" * 32, "b" * 16


@pytest.fixture
def client(site):
    _, key = apikeys.create("tests", actor="cli:tests")
    return Client(headers={"authorization": f"Bearer {key}"})


def called(site, client, service):
    """A run that another service triggered, and its child; the parent completed."""
    answer = client.post(
        "/api/v1/tasks/tracing/trigger",
        json.dumps({"payload": f"{service}/orders"}),
        content_type="application/json",
        headers={"traceparent": f"00-{TRACE}-{CALLER}-01"},
    )
    parent = answer.json()["id"]
    assert site.completed(parent).output == "200"
    child = Run.objects.get(parent_id=parent).pk
    site.accepted += [parent, child]
    return parent


def test_one_trace_from_the_caller_to_the_service_and_into_the_collector(site, client):
    with collecting() as collector:
        variables = {"EXPORTER_OTLP_ENDPOINT": collector.url, "BSP_SCHEDULE_DELAY": "100"}
        cluster = site.cluster(workers=1, **{f"OTEL_{name}": v for name, v in variables.items()})
        parent = called(site, client, collector.url)
        doomed = site.trigger("doomed")
        awaited = {"doomed", "fatal", "tracing", "on_success"}
        eventually(lambda: awaited <= set(collector.spans))
        assert site.run(doomed).status == "CRASHED"
    check_export(parent, collector)
    check_api(client, parent)
    # nobody collects any more: the cluster ends in time all the same
    assert cluster.stop() == 0


def check_export(parent, collector):
    found = collector.spans
    request = found["GET 127.0.0.1/orders"]
    # the caller called the parent, its span the child, the child's request the service
    assert found["tracing"].parent_span_id.hex() == CALLER
    assert found["fan out"].parent_span_id.hex() == attempt_span_id(parent, 1)
    assert found["prepare"].span_id.hex() == entry_span_id(parent, 1, "step", "prepare", 1)
    assert found["prepare"].parent_span_id == found["fan out"].span_id
    assert found["calling"].parent_span_id == found["fan out"].span_id
    assert request.parent_span_id == found["call"].span_id
    assert collector.callers == [f"00-{TRACE}-{request.span_id.hex()}-01"]
    # one span over the wait, from its first segment on
    assert found["fan out"].start_time_unix_nano <= found["calling"].start_time_unix_nano
    assert found["tracing"].end_time_unix_nano >= found["calling"].end_time_unix_nano
    of_the_dead = {"doomed", "fatal"}
    assert {found[name].trace_id.hex() for name in set(found) - of_the_dead} == {TRACE}
    assert [found[name].status.code for name in sorted(of_the_dead)] == [2, 2]
    assert found["fatal"].parent_span_id == found["doomed"].span_id
    assert found["fatal"].end_time_unix_nano == found["doomed"].end_time_unix_nano


def check_api(client, parent):
    events = client.get(f"/api/v3/runs/{parent}/events").json()["events"]
    assert [one["message"] for one in events if one["message"] != "In the queue"] == [
        "tracing",
        "Attempt 1",
        "fan out",
        "prepare",
        "calling",
        "on_success",
    ]
    assert not any(one["isPartial"] for one in events)
