import pytest

from runs import lifecycle
from runs.ids import new_id
from runs.models import Run, Source

pytestmark = pytest.mark.django_db


@pytest.fixture
def origin(db):
    asked = lifecycle.TriggerOptions(tags=("a",), metadata='{"n":1}', machine="micro", ttl=60.0)
    return lifecycle.trigger("hello", '{"x":1e2}', asked, source=Source.API).run_id


def replayed(api, origin, body=None):
    answer = api.post(f"/api/v1/runs/{origin}/replay", body)
    assert answer.status_code == 200, answer.content
    return Run.objects.get(pk=answer.json()["id"])


def test_makes_the_same_run_again(api, origin):
    run = replayed(api, origin)
    assert run.pk != origin
    assert (run.payload, run.tag_list, run.machine, run.ttl) == ('{"x":1e2}', ["a"], "micro", None)
    assert (run.replayed_from_id, run.actor) == (origin, "key:tests")


def test_a_request_that_is_sent_again_makes_one_run(api, origin):
    path, key = f"/api/v1/runs/{origin}/replay", "x_trigger_request_idempotency_key"
    ids = [api.post(path, None, **{key: value}).json()["id"] for value in ("a", "a", "b")]
    assert (ids[0] == ids[1], len({*ids}), Run.objects.count()) == (True, 2, 3)


def test_takes_another_payload_as_clients_encode_it(api, origin):
    body = {"payload": '{"json":{"y":2}}', "payloadType": "application/super+json"}
    assert replayed(api, origin, body).payload == '{"y":2}'
    assert replayed(api, origin, {"payload": {"z": 3}}).payload == '{"z": 3}'


def test_takes_other_options(api, origin):
    body = {
        "tags": "b",
        "metadata": {"m": 2},
        "machine": "small-2x",
        "version": "7",
        "delay": "1h",
        "maxAttempts": 1,
        "queue": "task/hello",
    }
    run = replayed(api, origin, body)
    assert (run.tag_list, run.metadata, run.machine) == (["b"], '{"m":2}', "small-2x")
    assert (run.version, run.max_attempts, run.delay_until is None) == ("7", 1, False)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"payload": "{", "payloadType": "application/json"}, 400),
        ({"tags": ["x"] * 3 + [str(n) for n in range(10)]}, 422),
        ({"nonsense": 1}, 400),
        ({"queue": "nowhere"}, 422),
        (b"{", 400),
    ],
)
def test_refuses_bad_changes(api, origin, body, status):
    assert api.post(f"/api/v1/runs/{origin}/replay", body).status_code == status
    assert Run.objects.count() == 1


def test_an_unknown_run_is_not_found(api):
    answer = api.post(f"/api/v1/runs/{new_id('run')}/replay")
    assert (answer.status_code, answer["x-should-retry"]) == (404, "false")
