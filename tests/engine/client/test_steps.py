"""Attempts, pauses, keys of requests and errors."""

import time

import httpx
import pytest

from trackside import (
    ApiError,
    Client,
    ConnectionFailed,
    InvalidAnswer,
    NotFound,
    RateLimited,
    ServerError,
    TracksideError,
    Unauthenticated,
)

OK = {"id": "run_1", "isCached": False}
KEY = "x-trigger-request-idempotency-key"
pytestmark = pytest.mark.once


def said(status, body=None, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json={"error": "no"} if body is None else body, headers=named)


@pytest.mark.parametrize(
    "problem",
    [
        said(408),
        said(409),
        said(429),
        said(500),
        said(503),
        said(404, x_should_retry="true"),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("late"),
    ],
    ids=lambda one: str(getattr(one, "status_code", type(one).__name__)),
)
def test_what_may_help_is_tried_again_as_the_same_request(server, pauses, problem):
    far = server(problem, said(200, OK))
    assert far.client().tasks.trigger("a").id == "run_1"
    keys = {request.headers[KEY] for request in far.asked}
    assert (len(far.asked), len(keys), len(pauses)) == (2, 1, 1)


def test_every_call_has_a_key_of_its_own(server):
    far = server(said(200, OK))
    client = far.client()
    client.tasks.trigger("a")
    client.tasks.trigger("a")
    assert len({request.headers[KEY] for request in far.asked}) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 415, 422])
def test_what_cannot_help_is_not(server, status):
    far = server(said(status))
    with pytest.raises(ApiError) as caught:
        far.client().tasks.trigger("a")
    assert (caught.value.status, caught.value.message, len(far.asked)) == (status, "no", 1)


def test_the_server_may_say_that_it_cannot_help(server):
    far = server(said(503, x_should_retry="false"))
    with pytest.raises(ServerError):
        far.client().tasks.trigger("a")
    assert len(far.asked) == 1


def test_gives_up_after_the_last_attempt(server, pauses):
    far = server(said(503))
    with pytest.raises(ServerError):
        far.client(max_attempts=3).tasks.trigger("a")
    assert len(far.asked) == 3
    assert 0.8 <= pauses[0] <= 1.2 < pauses[1]


def test_waits_until_the_rate_limit_is_reset(server, pauses):
    reset = str(int((time.time() + 7) * 1000))
    far = server(said(429, x_ratelimit_reset=reset), said(200, OK))
    far.client().tasks.trigger("a")
    assert 6 < pauses[0] < 7.5


def test_a_limit_that_lasts_tells_until_when(server):
    reset = str(int(time.time() * 1000) + 5000)
    far = server(said(429, x_ratelimit_reset=reset))
    with pytest.raises(RateLimited) as caught:
        far.client(max_attempts=1).tasks.trigger("a")
    assert caught.value.reset_at.timestamp() == pytest.approx(time.time() + 5, abs=1)


@pytest.mark.parametrize(("status", "kind"), [(401, Unauthenticated), (404, NotFound)])
def test_errors_have_kinds(server, status, kind):
    with pytest.raises(kind):
        server(said(status)).client().runs.retrieve("run_1")


def test_nobody_there_is_an_error_without_anything_secret(server):
    with pytest.raises(ConnectionFailed) as caught:
        server(httpx.ConnectError("refused")).client(max_attempts=1).tasks.trigger("a")
    assert "refused" in str(caught.value)
    assert "secret" not in repr(caught.value)


@pytest.mark.parametrize("answer", [httpx.Response(200, text="<html>"), said(200, {"id": 7})])
def test_another_product_is_no_trackside(server, answer):
    with pytest.raises(InvalidAnswer):
        server(answer).client().tasks.trigger("a")


def test_an_error_that_is_not_json_has_its_text(server):
    with pytest.raises(ServerError, match="Bad Gateway"):
        server(httpx.Response(502, text="Bad Gateway")).client(max_attempts=1).runs.trace("run_1")


def test_the_address_may_have_a_path(server):
    far = server(said(200, OK))
    far.client().tasks.trigger("a/b c")
    assert far.asked[0].url.raw_path == b"/base/api/v1/tasks/a%2Fb%20c/trigger"
    assert (
        far.asked[0].headers["authorization"] == "Bearer tr_dev_secret_of_more_than_32_characters"
    )


def test_nothing_secret_is_shown(server):
    client = server(said(200, OK)).client()
    assert repr(client) == "Client('http://far.example/base')"
    assert "secret" not in repr(vars(client))


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("", "k"),
        ("far.example", "k"),
        ("ftp://far.example", "k"),
        ("https://user:word@far.example", "k"),
        ("https://far.example", ""),
        ("https://far.example", "two words"),
        ("https://far.example", "zwölf"),
    ],
)
def test_a_connection_that_cannot_be_is_refused_at_once(monkeypatch, url, key):
    monkeypatch.delenv("TRACKSIDE_URL", raising=False)
    monkeypatch.delenv("TRACKSIDE_KEY", raising=False)
    with pytest.raises(TracksideError) as caught:
        Client(url, key)
    assert "word" not in str(caught.value)


def test_the_environment_names_the_server(monkeypatch):
    monkeypatch.setenv("TRACKSIDE_URL", "https://far.example/")
    monkeypatch.setenv("TRACKSIDE_KEY", "tr_dev_secret_of_more_than_32_characters")
    assert Client().url == "https://far.example"
