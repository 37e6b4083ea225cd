"""HTTP requests that are tried again by what came back; no network."""

import asyncio
import time
from types import SimpleNamespace

import httpx
import pytest

from engine import InvalidOption, retry
from engine.sdk import fetching, filters, resets

URL = "https://api.example.com/orders"
NOW = {"min_timeout": 0, "max_timeout": 0}
BUSY = httpx.Response(503)


class Server:
    """Answers with one response or error after the other, the last one for ever."""

    def __init__(self, *answers):
        self.answers, self.requests = list(answers), []

    def __call__(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return answer
        return httpx.Response(answer)

    def client(self):
        return httpx.Client(transport=httpx.MockTransport(self))

    def async_client(self):
        return httpx.AsyncClient(transport=httpx.MockTransport(self))


@pytest.fixture(params=["fetch", "afetch"])
def fetch(request):
    """Either form, with the same answers."""

    def plain(server, **options):
        return retry.fetch(URL, client=server.client(), **options)

    def coroutine(server, **options):
        return asyncio.run(retry.afetch(URL, client=server.async_client(), **options))

    return plain if request.param == "fetch" else coroutine


@pytest.fixture
def slept(monkeypatch):
    """The pauses, none of which is made."""
    pauses = []

    async def asleep(seconds):
        pauses.append(seconds)

    monkeypatch.setattr(fetching, "pause", pauses.append)
    # not in asyncio itself: other threads of the suite sleep too
    monkeypatch.setattr("engine.sdk.pauses.asyncio", SimpleNamespace(sleep=asleep))
    return pauses


def waited(slept):
    return [pause for pause in slept if pause]


def test_an_answer_is_an_answer(fetch, slept):
    server = Server(httpx.Response(201, json={"id": 1}))
    response = fetch(server, method="POST", json={"title": "tea"}, headers={"x-shop": "1"})
    assert (response.status_code, response.json()) == (201, {"id": 1})
    (request,) = server.requests
    assert (request.method, request.read()) == ("POST", b'{"title":"tea"}')
    assert request.headers["x-shop"] == "1"
    assert "x-retry-count" not in request.headers
    assert waited(slept) == []


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 599])
def test_some_answers_are_tried_again_without_being_asked(fetch, slept, status):
    server = Server(status, status, 200)
    assert fetch(server).status_code == 200
    assert [r.headers.get("x-retry-count") for r in server.requests] == [None, "1", "2"]
    first, second = waited(slept)
    assert 1 <= first <= 2 <= second <= 4


@pytest.mark.parametrize("status", [200, 301, 400, 404, 422])
def test_others_are_not(fetch, slept, status):
    server = Server(status)
    assert fetch(server).status_code == status
    assert len(server.requests) == 1


def test_the_last_answer_is_returned_when_no_try_is_left(fetch, slept):
    server = Server(500)
    assert fetch(server).status_code == 500
    assert len(server.requests) == 3


def test_nothing_is_tried_more_than_ten_times(fetch, slept):
    server = Server(500)
    fetch(server, retry={"by_status": {"5xx": {"max_attempts": 100} | NOW}})
    assert len(server.requests) == 10


@pytest.mark.parametrize(
    ("error", "rule"),
    [
        (httpx.ConnectError("refused"), "connection_error"),
        (httpx.ReadError("reset"), "connection_error"),
        (httpx.ReadTimeout("late"), "timeout"),
        (httpx.ConnectTimeout("late"), "timeout"),
    ],
)
def test_what_failed_is_tried_again_by_its_rule(fetch, slept, error, rule):
    assert fetch(Server(error, 200)).status_code == 200
    off = {"connection_error": False, "timeout": False}
    assert fetch(Server(error, 200), retry=off | {rule: True}).status_code == 200
    server = Server(error)
    with pytest.raises(type(error)):
        fetch(server, retry={rule: {"max_attempts": 4, **NOW}})
    assert len(server.requests) == 4
    with pytest.raises(type(error)):
        fetch(Server(error), retry={rule: False})


def test_a_mistake_is_not_tried_again(fetch, slept):
    server = Server(httpx.TooManyRedirects("round and round"))
    with pytest.raises(httpx.TooManyRedirects):
        fetch(server)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("pattern", "retried", "not_retried"),
    [
        ("418", [418], [417]),
        ("500-503", [500, 503], [499, 504]),
        ("50x", [500, 509], [510]),
        ("5xx", [500, 599], [400]),
        ("408, 418", [408, 418], [409]),
        ("all", [200, 404], []),
    ],
)
def test_patterns_of_statuses(slept, pattern, retried, not_retried):
    for status in retried + not_retried:
        server = Server(status)
        retry.fetch(
            URL,
            client=server.client(),
            retry={"by_status": {pattern: {"max_attempts": 2}}},
        )
        assert len(server.requests) == (2 if status in retried else 1)


def test_each_status_has_its_own_strategy(fetch, slept):
    rules = {
        "429": {"min_timeout": 50, "randomize": False},
        "5xx": {"min_timeout": 7, "randomize": False},
    }
    fetch(Server(429, 500, 200), retry={"by_status": rules})
    assert waited(slept) == [50, 14]


def in_a_minute(form):
    then = time.time() + 60
    return {
        "unix_timestamp": f"{then:.0f}",
        "unix_timestamp_in_ms": f"{then * 1000:.0f}",
        "iso_8601": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(then)),
        "iso_8601_duration_openai_variant": "59s900ms",
        "retry_after": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(then)),
    }[form]


@pytest.mark.parametrize("form", sorted(resets.FORMATS))
def test_waits_until_the_limit_resets(fetch, slept, form):
    rules = {
        "429": {
            "strategy": "headers",
            "limit_header": "x-ratelimit-limit",
            "remaining_header": "x-ratelimit-remaining",
            "reset_header": "x-ratelimit-reset",
            "reset_format": form,
        }
    }
    refused = httpx.Response(429, headers={"x-ratelimit-reset": in_a_minute(form)})
    assert fetch(Server(refused, 200), retry={"by_status": rules}).status_code == 200
    assert waited(slept) == [pytest.approx(59.5, abs=1.5)]


@pytest.mark.parametrize("headers", [{}, {"x-ratelimit-reset": "tomorrow"}])
def test_without_a_readable_header_the_pause_grows(fetch, slept, headers):
    rule = {"strategy": "headers", "reset_header": "x-ratelimit-reset", "randomize": False}
    server = Server(httpx.Response(429, headers=headers), 200)
    fetch(server, retry={"by_status": {"429": rule}})
    assert waited(slept) == [1]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("6m0s", 360), ("1s", 1), ("20ms", 0.02), ("1d2h3m4.5s", 93784.5), ("1h", 3600), ("", None)],
)
def test_durations_as_openai_writes_them(text, seconds):
    assert resets.seconds_until_reset(text, "iso_8601_duration_openai_variant") == seconds


def test_a_reset_that_has_passed_is_at_once():
    assert resets.seconds_until_reset("1", "unix_timestamp") == 0
    assert resets.seconds_until_reset("120", "retry_after") == 120


def test_only_answers_whose_body_matches(fetch, slept):
    rule = {"body_filter": {"error": {"code": ["busy", {"$startsWith": "rate_"}]}}} | NOW
    for body, tries in (
        ({"error": {"code": "busy"}}, 3),
        ({"error": {"code": "rate_limited"}}, 3),
        ({"error": {"code": "broken"}}, 1),
        ([], 1),
    ):
        server = Server(httpx.Response(500, json=body))
        fetch(server, retry={"by_status": {"5xx": rule}})
        assert len(server.requests) == tries, body
    server = Server(httpx.Response(500, text="no json"))
    fetch(server, retry={"by_status": {"5xx": rule}})
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("wanted", "found", "matches"),
    [
        ({"a": [1]}, {"a": 1}, True),
        ({"a": [1]}, {"a": True}, False),
        ({"a": ["x"]}, {"a": ["x", "y"]}, True),
        ({"a": [{"$exists": False}]}, {}, True),
        ({"a": [{"$isNull": True}]}, {"a": None}, True),
        ({"a": [{"$anythingBut": ["x"]}]}, {"a": "y"}, True),
        ({"a": [{"$gt": 1, "$lte": 3}]}, {"a": 3}, True),
        ({"a": [{"$between": [1, 2]}]}, {"a": 3}, False),
        ({"a": [{"$includes": 2}]}, {"a": [1, 2]}, True),
        ({"a": [{"$endsWith": "z"}]}, {"a": 1}, False),
        ({"a": [{"$ignoreCaseEquals": "X"}]}, {"a": "x"}, True),
        ({"a": [{"$not": 1}]}, {"a": 2}, True),
        (lambda body: body["a"] > 1, {"a": 2}, True),
    ],
)
def test_filters(wanted, found, matches):
    assert filters.matches(wanted, found) == matches


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": {}},
        {"by_status": {"6x": {}}},
        {"by_status": {"5xx": {"strategy": "hope"}}},
        {"by_status": {"5xx": {"tries": 1}}},
        {"by_status": {"429": {"strategy": "headers"}}},
        {"by_status": {"429": {"strategy": "headers", "reset_header": "x", "reset_format": "y"}}},
        {"timeout": 5},
    ],
)
def test_wrong_options_are_refused_before_anything_is_sent(wrong):
    server = Server(200)
    with pytest.raises(InvalidOption):
        retry.fetch(URL, client=server.client(), retry=wrong)
    assert server.requests == []


def test_a_time_out_is_written_as_anywhere_else():
    server = Server(200)
    retry.fetch(URL, client=server.client(), timeout="1m")
    assert server.requests[0].extensions["timeout"]["read"] == 60


def test_the_callers_client_stays_open_and_our_own_is_closed(monkeypatch):
    server = Server(200)
    client = server.client()
    retry.fetch(URL, client=client)
    assert not client.is_closed
    own = server.client()
    monkeypatch.setattr("engine.sdk.fetching.httpx.Client", lambda: own)
    assert retry.fetch(URL).status_code == 200
    assert own.is_closed
