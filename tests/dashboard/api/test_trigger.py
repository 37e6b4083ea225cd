import hashlib
import json
from datetime import timedelta

import pytest
from django.utils import timezone

from runs.models import Queue, Run, Source, Task
from runs.states import RunStatus
from tests.support.rows import make_task

pytestmark = pytest.mark.django_db


def made(answer):
    assert answer.status_code == 200, answer.content
    return Run.objects.get(pk=answer.json()["id"])


def refused(answer, status, *words):
    assert answer.status_code == status, answer.content
    error = answer.json()["error"]
    assert all(word in error for word in words), error


def options(**values):
    return {"payload": 1, "options": values}


def test_makes_a_run_with_the_payload_as_it_was_sent(api):
    sent = b'{"payload": {"b": 1e2,  "a": [1.0, "\\u00e9"]} , "options": {}}'
    run = made(api.trigger(body=sent))
    assert run.payload == '{"b": 1e2,  "a": [1.0, "\\u00e9"]}'
    assert (run.task_id, run.source, run.actor) == ("hello", Source.API, "key:tests")


def test_a_task_nobody_knows_yet_waits_for_its_version(api):
    assert made(api.trigger(body={"payload": 1})).status == RunStatus.PENDING_VERSION


def test_a_task_id_may_hold_slashes_and_spaces(api):
    assert made(api.trigger("a%2Fb%20c", {"payload": 1})).task_id == "a/b c"


@pytest.mark.parametrize(
    ("body", "stored"),
    [
        ({}, None),
        ({"payload": None}, "null"),
        ({"payload": "text"}, '"text"'),
        ({"payload": "text", "options": {"payloadType": "text/plain"}}, '"text"'),
        ({"payload": '{"a": 1}', "options": {"payloadType": "application/json"}}, '{"a": 1}'),
        ({"payload": [1], "options": {"payloadType": "application/json"}}, "[1]"),
        (
            {
                "payload": '{"json":{"when":"2030-01-01"},"meta":{"values":{"when":["Date"]}}}',
                "options": {"payloadType": "application/super+json", "payloadSize": 30},
            },
            '{"when":"2030-01-01"}',
        ),
    ],
)
def test_decodes_every_encoding_of_a_payload(api, body, stored):
    body.setdefault("context", {})
    assert made(api.trigger(body=body)).payload == stored


def test_takes_every_option(api):
    Queue.objects.create(name="emails")
    parent = made(api.trigger(body={"payload": 1}))
    run = made(
        api.trigger(
            body=options(
                queue={"name": "emails"},
                concurrencyKey=7,
                test=True,
                delay="1h",
                ttl="2h30m",
                tags=["b", "a"],
                maxAttempts=5,
                maxDuration=60,
                metadata={"step": 1},
                machine="micro",
                priority=10,
                lockToVersion="20300101.1",
                parentRunId=parent.id,
                region="eu",
                debounce=None,
                resumeParentOnCompletion=True,
                bulkActionId="bulk_1",
                externalDeploymentId="not this one",
                concurrency=[],
                gates=None,
            )
        )
    )
    assert (run.queue, run.concurrency_key, run.is_test) == ("emails", "7", True)
    assert (run.ttl, run.tag_list, run.max_attempts, run.max_duration) == (9000, ["a", "b"], 5, 60)
    assert (json.loads(run.metadata), run.machine, run.priority) == ({"step": 1}, "micro", 10)
    assert (run.version, run.parent_id) == ("20300101.1", parent.id)
    assert run.delay_until > timezone.now() + timedelta(minutes=59)


def test_a_moment_is_a_delay_too(api):
    run = made(api.trigger(body=options(delay="2100-01-01T00:00:00.000Z")))
    assert run.delay_until.year == 2100


@pytest.mark.parametrize("tags", ["one", ["one"]])
def test_a_single_tag_needs_no_list(api, tags):
    assert made(api.trigger(body=options(tags=tags))).tag_list == ["one"]


def test_a_key_makes_one_run(api):
    first = api.trigger(body=options(idempotencyKey="order-7"))
    second = api.trigger(body=options(idempotencyKey="order-7"))
    assert (first.json()["isCached"], second.json()["isCached"]) == (False, True)
    assert first.json()["id"] == second.json()["id"]


def test_the_open_run_answers_for_a_trigger_that_is_skipped(api):
    make_task(config=json.dumps({"overlap": "skip"}))
    first, second = (api.trigger(body={"payload": 1}).json() for _ in range(2))
    assert "isSkipped" not in first
    assert second == {"id": first["id"], "isCached": True, "isSkipped": True}


def test_a_hashed_key_is_the_key_it_is_the_hash_of(api):
    hashed = hashlib.sha256(b"order-7").hexdigest()
    chosen = {"key": "order-7", "scope": "global"}
    sent = options(idempotencyKey=hashed, idempotencyKeyOptions=chosen, idempotencyKeyTTL="60s")
    run = made(api.trigger(body=sent))
    assert run.idempotency_key == "order-7"
    assert api.trigger(body=options(idempotencyKey="order-7")).json()["id"] == run.id
    assert run.idempotency_expires_at < timezone.now() + timedelta(seconds=61)


def test_the_same_key_on_another_task_is_another_run(api):
    first = made(api.trigger("one", options(idempotencyKey="k")))
    assert made(api.trigger("two", options(idempotencyKey="k"))).id != first.id


def test_a_repeated_request_makes_one_run(api):
    sent = {"x_trigger_request_idempotency_key": "6f1c"}
    first = api.trigger(body={"payload": 1}, **sent).json()
    again = api.trigger(body={"payload": 1}, **sent).json()
    other = api.trigger("other", {"payload": 1}, **sent).json()
    assert (first["id"], True) == (again["id"], again["isCached"])
    assert other["id"] != first["id"]


@pytest.mark.parametrize(
    ("changed", "status", "words"),
    [
        ({"maxAttempts": "3"}, 400, ["options.maxAttempts"]),
        ({"maxAttempts": 0}, 400, ["options.maxAttempts"]),
        ({"max_attempts": 3}, 400, ["options.max_attempts", "not an option"]),
        ({"tags": [f"t{n}" for n in range(11)]}, 422, ["10 tags"]),
        ({"tags": ["x" * 129]}, 400, ["128"]),
        ({"tags": [1]}, 400, ["options.tags"]),
        ({"delay": "banana"}, 400, ["delay", "1h30m"]),
        ({"delay": 5}, 400, ["options.delay"]),
        ({"ttl": "soon"}, 400, ["ttl"]),
        ({"ttl": -1}, 400, ["ttl"]),
        ({"machine": "huge"}, 400, ["machine", "small-1x"]),
        ({"queue": {"name": "nowhere"}}, 422, ["nowhere"]),
        ({"debounce": {"key": "k", "delay": "soon"}}, 422, ["debounce"]),
        ({"debounce": {"key": "k", "delay": "1s", "mode": "odd"}}, 422, ["leading, trailing"]),
        ({"debounce": {"key": "k", "delay": "10s", "maxDelay": "5s"}}, 422, ["max_delay"]),
        ({"debounce": {"delay": "1s"}}, 400, ["debounce", "key"]),
        ({"concurrency": [{"name": "x"}]}, 422, ["concurrency", "not supported"]),
        ({"payloadType": "application/store"}, 400, ["storagePath"]),
        ({"metadata": [1]}, 400, ["metadata"]),
        ({"metadata": "[1]"}, 400, ["metadata"]),
        ({"parentRunId": "run_nobody"}, 400, ["run_nobody"]),
        ({"idempotencyKey": ""}, 400, ["options.idempotencyKey"]),
        ({"idempotencyKey": "k", "idempotencyKeyTTL": "x"}, 400, ["idempotencyKeyTTL"]),
        ({"test": "yes"}, 400, ["options.test"]),
        ({"priority": "high"}, 400, ["options.priority"]),
        ({"delay": "0001-01-01T00:00:00+23:00"}, 400, ["delay"]),
    ],
)
def test_refuses_bad_options(api, changed, status, words):
    refused(api.trigger(body={"payload": "x", "options": changed}), status, *words)
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", ["empty"]),
        (b"{", ["line 1"]),
        (b"[1]", ["object"]),
        (b'{"payload": NaN}', ["NaN", "column 13"]),
        (b'{"payload": 1, "option": {}}', ["option"]),
        (b'{"payload": 1, "options": []}', ["options"]),
        (b'{"payload": "{", "options": {"payloadType": "application/json"}}', ["line 1"]),
        (b'{"payload": "{}", "options": {"payloadType": "application/super+json"}}', ["json"]),
        (b'{"payload": "[]", "options": {"payloadType": "application/super+json"}}', ["object"]),
        (b'{"payload": 1}\xff', ["UTF-8"]),
    ],
)
def test_refuses_bad_bodies(api, body, words):
    refused(api.trigger(body=body), 400, *words)


def test_refuses_a_payload_the_schema_does_not_allow(api):
    schema = '{"properties": {"items": {"items": {"type": "number"}}}}'
    Task.objects.create(id="hello", schema=schema, queue="task/hello", registered_at=timezone.now())
    answer = api.trigger(body={"payload": {"items": [1, "x"]}})
    refused(answer, 400, "$.items[1]", "'x' is not of type 'number'")


@pytest.mark.parametrize(("size", "status"), [(999, 200), (1000, 200), (1001, 413)])
def test_a_payload_may_be_as_large_as_the_limit(api, settings, size, status):
    settings.TRACKSIDE = {"PAYLOAD_LIMIT": 1000}
    assert api.trigger(body={"payload": "x" * (size - 2)}).status_code == status


def test_refuses_a_body_far_over_the_limit_by_its_length(api, settings):
    settings.TRACKSIDE = {"PAYLOAD_LIMIT": 1000}
    refused(api.trigger(body=b'{"payload":"' + b"x" * 2_000_000), 413, "bytes")


def test_a_payload_may_be_as_deep_as_its_own_limit(api):
    assert made(api.trigger(body=b'{"payload":' + b"[" * 64 + b"]" * 64 + b"}")).payload
    refused(api.trigger(body=b'{"payload":' + b"[" * 65 + b"]" * 65 + b"}"), 400, "64 levels")


@pytest.mark.parametrize(
    ("kind", "encoding"),
    [
        ("text/plain", None),
        ("application/x-www-form-urlencoded", None),
        ("multipart/form-data; boundary=x", None),
        ("application/json; charset=latin-1", None),
        ("application/json", "gzip"),
    ],
)
def test_refuses_other_content_types(api, kind, encoding):
    headers = {**api.headers, **({"content-encoding": encoding} if encoding else {})}
    path = "/api/v1/tasks/hello/trigger"
    answer = api.client.post(path, b'{"payload":1}', content_type=kind, headers=headers)
    refused(answer, 415)


@pytest.mark.parametrize(("asked", "stored"), [(1, 5), (4.5, 5), (90, 90), (0, None)])
def test_a_limit_that_is_too_short_is_lengthened(api, asked, stored):
    api.trigger(body={"payload": 1, "options": {"maxDuration": asked}})
    assert Run.objects.get().max_duration == stored


def test_a_limit_below_zero_is_refused(api):
    answer = api.trigger(body={"payload": 1, "options": {"maxDuration": -1}})
    assert (answer.status_code, "maxDuration" in answer.json()["error"]) == (400, True)


def test_a_deployment_is_a_version(api):
    assert made(api.trigger(body=options(externalDeploymentId="abc123"))).version == "abc123"


@pytest.mark.parametrize(
    ("option", "status", "words"),
    [
        ({"concurrency": ["openai"]}, 422, "name it by queue"),
        ({"gates": [{"queue": "q"}]}, 422, "name it by queue"),
        ({"parentBatch": "batch_1"}, 422, "before 4"),
        ({"resumeParentOnCompletion": "yes"}, 400, "true or false"),
        ({"bulkActionId": 7}, 400, "must be text"),
        ({"region": []}, 400, "must be text"),
    ],
)
def test_says_what_it_does_not_have_and_what_to_do(api, option, status, words):
    answer = api.trigger(body=options(**option))
    assert answer.status_code == status
    assert words in answer.json()["error"]
