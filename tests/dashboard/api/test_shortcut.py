"""Requests with a key go past what pages need, and nobody sees it."""

import pytest
from django.contrib.sessions.middleware import SessionMiddleware

pytestmark = pytest.mark.django_db


@pytest.fixture
def passed(monkeypatch):
    """Paths of the requests that got as far as the sessions."""
    seen = []
    process = SessionMiddleware.process_request
    monkeypatch.setattr(
        SessionMiddleware,
        "process_request",
        lambda self, request: seen.append(request.path) or process(self, request),
    )
    return seen


def test_an_endpoint_with_a_key_needs_no_session(api, passed):
    answer = api.get("/api/v1/runs")
    assert answer.status_code == 200
    assert not passed
    assert answer["content-length"] == str(len(answer.content))
    assert answer["x-frame-options"] == "DENY"
    assert answer["x-content-type-options"] == "nosniff"
    assert answer["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize("path", ["/api/v1/openapi.json", "/api/v1/nothing", "/runs", "/api/"])
def test_everything_else_goes_the_long_way(api, passed, path):
    api.get(path)
    assert passed == [path]


def test_another_host_is_refused(api, client):
    answer = client.get("/api/v1/runs", headers={**api.headers, "host": "evil.example"})
    assert answer.status_code == 400
    assert "error" not in answer.content.decode()


def test_a_session_does_not_replace_the_key(client, django_user_model, passed):
    client.force_login(django_user_model.objects.create_superuser("ann"))
    assert client.get("/api/v1/runs").status_code == 401
