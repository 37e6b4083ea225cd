import json

import pytest

from engine import ScheduledPayload, webhook
from runs.models import Run
from tests.dashboard.pages.conftest import client_of
from tests.support.rows import make_session, make_task, make_user, queued_run

pytestmark = pytest.mark.django_db

SCHEMA = json.dumps(
    {
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": {"type": "integer", "minimum": 1, "description": "Of the invoice."},
            "to": {"$ref": "#/$defs/Person"},
            "mode": {"enum": ["mail", "post"]},
        },
        "$defs": {"Person": {"type": "object", "properties": {"mail": {"type": "string"}}}},
    }
)


def token(client, task="hello"):
    return client.get(f"/test/{task}").context["form"].initial["token"]


def test_lists_the_tasks(viewer):
    make_task("billing/charge")
    page = viewer.get("/test").content
    assert b'href="/test/billing/charge"' in page
    assert viewer.get("/test?task=billing/charge")["Location"] == "/test/billing/charge"


def test_triggers_a_test_run(operator):
    make_task()
    fields = {"payload": '{"n": 1}', "tags": "a, b", "token": token(operator)}
    response = operator.post("/test/hello", fields)
    run = Run.objects.get()
    assert (response.status_code, response["Location"]) == (303, f"/runs/{run.id}")
    assert (run.is_test, run.source, run.actor) == (True, "test", "user:otto")
    assert (run.payload, run.tag_list) == ('{"n": 1}', ["a", "b"])


def test_an_empty_payload_is_none(operator):
    make_task()
    operator.post("/test/hello", {"payload": " \n", "token": token(operator)})
    assert Run.objects.get().payload is None


def test_pressing_twice_makes_one_run(operator):
    make_task()
    fields = {"payload": "1", "token": token(operator)}
    assert (
        operator.post("/test/hello", fields)["Location"]
        == (operator.post("/test/hello", fields)["Location"])
    )
    assert Run.objects.count() == 1


def test_starts_from_the_schema_the_last_run_or_the_one_named(operator):
    make_task(schema=SCHEMA)
    page = operator.get("/test/hello")
    assert json.loads(page.context["form"].initial["payload"]) == {
        "id": 0, "to": {"mail": ""}, "mode": "mail",
    }  # fmt: skip
    old = queued_run(payload='{"id": 7}', tags=("x",))
    queued_run(payload='{"id": 8}')
    assert operator.get("/test/hello").context["form"].initial["payload"] == '{"id": 8}'
    named = operator.get(f"/test/hello?from={old.id}").context["form"].initial
    assert (named["payload"], named["tags"]) == ('{"id": 7}', "x")


def test_explains_the_schema(viewer):
    make_task(schema=SCHEMA)
    page = viewer.get("/test/hello").content.decode()
    assert "Of the invoice.; at least 1" in page
    assert "to.mail" in page


@pytest.mark.parametrize(
    "schema",
    [
        "{",
        "[]",
        '{"$ref": "#"}',
        '{"properties": 3}',
        '{"properties": {"a": {"$ref": "#/properties/a"}}}',
    ],
)
def test_odd_schemas_are_harmless(viewer, schema):
    make_task(schema=schema)
    assert viewer.get("/test/hello").status_code == 200


def test_a_mistake_keeps_what_was_typed(operator):
    make_task()
    fields = {"payload": "[1,]", "tags": "kept", "token": token(operator)}
    response = operator.post("/test/hello", fields)
    page = response.content.decode()
    assert response.status_code == 422
    assert 'value="kept"' in page
    assert "[1,]" in page
    assert 'data-line="1"' in page


def test_options_are_checked(operator):
    make_task()
    fields = {
        "payload": "1", "token": token(operator), "tags": ",".join(map(str, range(11))),
        "max_attempts": "0", "ttl": "-1", "machine": "huge", "idempotency_ttl": "x",
    }  # fmt: skip
    response = operator.post("/test/hello", fields)
    assert response.status_code == 422
    errors = response.context["form"].errors
    assert set(errors) >= {"max_attempts", "ttl", "machine", "idempotency_ttl"}


def test_says_whether_a_worker_is_there(viewer):
    make_task()
    assert b"No worker is connected" in viewer.get("/test/hello").content
    make_session(slots=3)
    assert b"1 worker connected, 3 slots" in viewer.get("/test/hello").content


def test_a_broken_task_shows_its_traceback(viewer):
    make_task(broken=True, error="ImportError: nowhere")
    assert b"ImportError: nowhere" in viewer.get("/test/hello").content


def test_a_viewer_may_not_trigger(viewer):
    make_task()
    fields = {"payload": "1", "token": token(viewer)}
    assert viewer.post("/test/hello", fields).status_code == 403
    assert not Run.objects.exists()


def test_suggests_a_moment_of_now_for_a_scheduled_task(time_machine):
    time_machine.move_to("2030-01-01T09:00:00Z", tick=False)
    schema = ScheduledPayload.model_json_schema(by_alias=True)
    make_task("report", schema=json.dumps(schema))
    viewer = client_of(make_user("vera", "view_run"))
    page = viewer.get("/test/report").content.decode()
    assert "&quot;timestamp&quot;: &quot;2030-01-01T09:00:00Z&quot;" in page
    assert "&quot;scheduleId&quot;: &quot;sched_1234&quot;" in page


def test_shows_where_and_how_another_service_triggers_it(viewer, monkeypatch):
    rule = webhook.stripe("shop/paid", secret=["NEW_SECRET", "OLD_SECRET"])
    make_task("paid", webhook=rule.to_json(), webhook_path=rule.path)
    closed = viewer.get("/test/paid").text
    assert "http://127.0.0.1:8765/webhooks/shop/paid" in closed
    assert "Stripe-Signature" in closed
    assert "as Stripe signs" in closed
    assert "refused with 503" in closed
    monkeypatch.setenv("OLD_SECRET", "s")
    opened = viewer.get("/test/paid").text
    assert "refused with 503" not in opened
    assert "missing" in opened


def test_a_task_without_a_webhook_has_no_address(viewer):
    make_task()
    assert "/webhooks/" not in viewer.get("/test/hello").text


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, None),
        ({"concurrency_key": "$.customer"}, "found in the payload at <code>$.customer</code>"),
        ({"computed_key": True}, "computes its concurrency key by a function"),
    ],
)
def test_says_where_the_concurrency_key_comes_from(viewer, config, words):
    make_task(config=json.dumps(config))
    page = viewer.get("/test/hello").text
    assert words in page if words else "concurrency key" not in page.replace("Concurrency key", "")


@pytest.mark.parametrize(
    ("policy", "says", "told"),
    [
        ("skip", "makes no run", "No run was made"),
        ("queue_one", "waits for its end", "The run waits until one before it has ended."),
        ("cancel_previous", "stops it", "The run waits until one before it has ended."),
    ],
)
def test_says_what_becomes_of_a_trigger_while_a_run_is_open(operator, policy, says, told):
    make_task(config=json.dumps({"overlap": policy}))
    assert says in operator.get("/test/hello").content.decode()
    operator.post("/test/hello", {"token": token(operator)})
    second = operator.post("/test/hello", {"token": token(operator)}, follow=True)
    assert told in second.content.decode()


def test_nothing_is_said_where_runs_may_overlap(operator):
    make_task()
    assert "is open, a trigger" not in operator.get("/test/hello").content.decode()
