import pytest
from django.test import Client

from dashboard.api.cors import LONGEST

pytestmark = pytest.mark.django_db

ORIGIN = {"origin": "https://shop.example"}
OPEN = [
    ("POST", "/api/v1/tasks/hello/trigger"),
    ("GET", "/api/v1/runs"),
    ("GET", "/api/v3/runs/run_1"),
    ("POST", "/api/v3/batches"),
    ("POST", "/api/v3/batches/batch_1/items"),
    ("GET", "/api/v2/batches/batch_1"),
    ("POST", "/api/v1/waitpoints/tokens/waitpoint_1/complete"),
    ("POST", "/api/v1/idempotencyKeys/k/reset"),
]
CLOSED = ["/api/v1/queues/q/pause", "/api/v1/runs/run_1/replay", "/api/v1/auth/public-tokens"]


@pytest.mark.parametrize(("method", "path"), OPEN)
def test_browsers_ask_before_they_call(client, method, path):
    headers = {
        **ORIGIN,
        "access-control-request-method": method,
        "access-control-request-headers": "authorization,content-type,trigger-version",
    }
    answer = client.options(path, headers=headers)
    assert answer.status_code == 204
    assert answer["access-control-allow-origin"] == "*"
    assert method in answer["access-control-allow-methods"]
    assert "trigger-version" in answer["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in answer


@pytest.mark.parametrize("path", CLOSED)
def test_what_takes_secret_keys_alone_is_closed_to_them(client, api, path):
    assert client.options(path, headers=ORIGIN).status_code == 405
    answer = api.post(path, {}, origin="https://shop.example")
    assert "access-control-allow-origin" not in answer


def test_a_script_reads_the_answer_and_its_headers(api):
    answer = api.trigger(origin="https://shop.example")
    assert answer["access-control-allow-origin"] == "*"
    assert "x-trigger-jwt" in answer["access-control-expose-headers"]
    assert "access-control-allow-origin" not in api.trigger()


def test_a_script_reads_why_it_was_refused(db):
    answer = Client().get("/api/v1/runs", headers=ORIGIN)
    assert answer.status_code == 401
    assert answer["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("asked", ["a\r\nset-cookie: a=b", "x" * (LONGEST + 1), "\x00"])
def test_what_a_browser_would_never_ask_is_not_repeated(client, asked):
    headers = {**ORIGIN, "access-control-request-headers": asked}
    answer = client.options("/api/v1/runs", headers=headers)
    assert answer["access-control-allow-headers"] == "authorization, content-type"
