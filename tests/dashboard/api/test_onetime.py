import json
from datetime import timedelta

import pytest
from django.utils import timezone

from runs import lifecycle
from runs.models import Batch, Idempotency, Run
from tests.dashboard.api.conftest import Api
from tests.support.publictokens import signed
from tests.support.threads import together

pytestmark = pytest.mark.django_db

LINES = "application/x-ndjson"


@pytest.fixture
def once(key):
    """A client with a token for one use."""
    scopes = ("trigger:tasks:hello", "batchTrigger:tasks:hello", "read:runs")
    return Api(signed(key, *scopes, otu=True))


def opened(client, **headers):
    body = {"runCount": 2, "taskIdentifiers": ["hello"]}
    return client.post("/api/v3/batches", body, **headers)


def sent(client, batch, index=0):
    line = json.dumps({"index": index, "task": "hello"}).encode()
    path = f"/api/v3/batches/{batch}/items"
    return client.client.post(path, line, content_type=LINES, headers=client.headers)


def test_a_token_for_one_use_triggers_once(once):
    assert once.trigger().status_code == 200
    again = once.trigger()
    assert again.status_code == 422
    assert "one use" in again.json()["error"]
    assert opened(once).status_code == 422
    assert Run.objects.count() == 1
    assert once.get("/api/v1/runs").status_code == 200


def test_a_trigger_that_failed_was_no_use(once):
    assert once.trigger(body={"options": {"queue": {"name": "nowhere"}}}).status_code == 422
    assert once.trigger(body=b"{").status_code == 400
    assert once.trigger("other").status_code == 403
    assert once.trigger().status_code == 200


def test_a_signature_spelled_otherwise_is_the_same_token(once):
    assert once.trigger().status_code == 200
    token = once.headers["authorization"]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    place = letters.index(token[-1])
    for twin in (letters[place ^ 1], letters[place ^ 2], token[-1] + "="):
        again = Api("")
        again.headers = {"authorization": token[:-1] + twin}
        assert again.trigger().status_code in {401, 422}
    assert Run.objects.count() == 1


def test_a_request_that_is_repeated_gets_its_answer_again(once):
    first = once.trigger(x_trigger_request_idempotency_key="r1").json()["id"]
    again = once.trigger(x_trigger_request_idempotency_key="r1")
    assert (again.status_code, again.json()["id"]) == (200, first)
    assert once.trigger(x_trigger_request_idempotency_key="r2").status_code == 422


def test_the_items_of_its_batch_still_come(once, key):
    batch = opened(once).json()["id"]
    assert sent(once, batch).json()["sealed"] is False
    assert sent(once, batch, 1).json()["sealed"] is True
    assert opened(once).status_code == 422
    assert once.trigger().status_code == 422
    assert Batch.objects.count() == 1


def test_but_not_those_of_another_batch(once, api):
    other = opened(api).json()["id"]
    assert sent(once, other).status_code == 422
    assert sent(once, "batch_%00").status_code == 422
    opened(once)
    assert sent(once, other).status_code == 422
    assert Run.objects.count() == 0


def test_a_batch_whose_answer_was_lost_is_opened_again(once):
    first = opened(once, x_trigger_request_idempotency_key="r1").json()["id"]
    again = opened(once, x_trigger_request_idempotency_key="r1")
    assert (again.status_code, again.json()["id"]) == (202, first)


def test_a_use_is_remembered_until_the_token_has_expired(once):
    once.trigger()
    assert lifecycle.prune_keys() == 0
    Idempotency.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert lifecycle.prune_keys() == 1


def test_a_use_is_remembered_after_its_run_is_gone(once):
    once.trigger()
    run = Run.objects.get()
    lifecycle.cancel(run.pk, actor="x")
    lifecycle.prune_runs(timezone.now() + timedelta(seconds=1))
    assert Run.objects.count() == 0
    assert once.trigger().status_code == 422


@pytest.mark.django_db(transaction=True)
def test_of_many_uses_at_once_one_counts(once):
    answers = together(
        [lambda: once.trigger().status_code] * 4 + [lambda: opened(once).status_code] * 2
    )
    assert sorted(answers) in ([200, *[422] * 5], [202, *[422] * 5])
    assert Run.objects.count() + Batch.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_one_request_sent_at_once_all_have_the_answer(once):
    answers = together([lambda: once.trigger(x_trigger_request_idempotency_key="r1").json()] * 4)
    assert {answer.get("id") for answer in answers} == {Run.objects.get().pk}
