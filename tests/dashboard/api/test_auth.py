from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from runs.lifecycle import apikeys
from runs.models import ApiKey

pytestmark = pytest.mark.django_db

PATHS = [
    ("POST", "/api/v1/tasks/hello/trigger"),
    ("GET", "/api/v1/runs"),
    ("GET", "/api/v1/projects/any/runs"),
    ("GET", "/api/v3/runs/run_1"),
    ("GET", "/api/v1/runs/run_1"),
    ("POST", "/api/v2/runs/run_1/cancel"),
    ("POST", "/api/v1/runs/run_1/replay"),
]


def status(text):
    return Client().get("/api/v1/runs", headers={"authorization": text}).status_code


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_no_endpoint_answers_without_a_key(method, path):
    answer = Client().generic(method, path)
    assert answer.status_code == 401
    assert answer.json() == {"error": "Invalid or Missing API key"}
    assert answer["www-authenticate"].startswith("Bearer")
    assert answer["cache-control"] == "no-store"


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_the_wrong_method_is_refused_in_json(api, method, path):
    answer = api.client.generic("DELETE", path, headers=api.headers)
    assert answer.status_code == 405
    assert answer["allow"] == method
    assert method in answer.json()["error"]


@pytest.mark.parametrize("text", ["", "Bearer", "Bearer ", "Basic abc", "Bearer tr_dev_x", "\xff"])
def test_refuses_what_is_no_key(text):
    assert status(text) == 401


def test_accepts_the_key_in_any_case_of_the_scheme(key):
    assert status(f"bearer {key}") == 200


def test_refuses_a_revoked_key_at_once(key):
    apikeys.revoke("tests", actor="cli:tests")
    assert status(f"Bearer {key}") == 401


def test_refuses_an_expired_key():
    moment = timezone.now() - timedelta(seconds=1)
    assert status("Bearer " + apikeys.create("old", actor="x", expires_at=moment)[1]) == 401


def test_notes_the_last_use_once_a_minute(key, django_assert_num_queries):
    status(f"Bearer {key}")
    used = ApiKey.objects.get().last_used_at
    assert used is not None
    with django_assert_num_queries(1):
        apikeys.verify(key)
    ApiKey.objects.update(last_used_at=used - timedelta(seconds=61))
    apikeys.verify(key)
    assert ApiKey.objects.get().last_used_at >= used


def test_a_session_is_not_a_key(admin_client):
    assert admin_client.get("/api/v1/runs").status_code == 401


def test_needs_no_csrf_token(key):
    client = Client(enforce_csrf_checks=True)
    path = "/api/v1/tasks/hello/trigger"
    headers = {"authorization": f"Bearer {key}", "origin": "https://elsewhere.example"}
    answer = client.post(path, b"{}", content_type="application/json", headers=headers)
    assert answer.status_code == 200
    assert "access-control-allow-credentials" not in answer


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/api/v9/", "/api/v1/runs/", "/api/v1/runs/a/b"]
)
def test_an_unknown_path_is_json_too(api, path):
    answer = api.get(path)
    assert answer.status_code == 404
    assert answer["x-should-retry"] == "false"
    assert answer.json()["error"]


def test_a_fault_of_ours_names_no_inside(api, monkeypatch, caplog):
    def broken(*arguments, **named):
        raise RuntimeError("secret inside")

    monkeypatch.setattr("dashboard.api.queries.runs", broken)
    answer = api.get("/api/v1/runs")
    assert answer.status_code == 500
    assert "secret" not in answer.content.decode()
    reference = answer.json()["error"].rsplit(" ", 1)[1].rstrip(".")
    assert reference in caplog.text
