import asyncio
import json
import threading

import pytest
from django.core import signals
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase

from dashboard.asgihandler import Handler
from tests.support.waiting import eventually


@pytest.fixture
def ask():
    """Sends requests to one handler; answers are status, headers and body."""
    handler = Handler()

    def asked(path, *, events=({"type": "http.request", "body": b""},), **scope):
        coming, sent = iter(events), []

        async def receive():
            return next(coming)

        async def send(event):
            sent.append(event)

        headers = [(b"host", b"localhost")]
        whole = {"type": "http", "method": "GET", "path": path, "headers": headers, **scope}
        asyncio.run(handler(whole, receive, send))
        body = b"".join(event.get("body", b"") for event in sent[1:])
        return (sent[0]["status"], dict(sent[0]["headers"]), body) if sent else None

    asked.handler = handler
    return asked


@pytest.fixture
def seen(monkeypatch):
    """Threads in which a request began, was answered, and was closed."""
    found = []

    def note(**_):
        found.append(threading.get_ident())

    answer, close = Handler.get_response, HttpResponseBase.close
    monkeypatch.setattr(Handler, "get_response", lambda *a: note() or answer(*a))
    monkeypatch.setattr(HttpResponseBase, "close", lambda self: note() or close(self))
    signals.request_started.connect(note)
    yield found
    signals.request_started.disconnect(note)


def test_a_request_is_answered_in_one_thread_which_serves_the_next_one_too(ask, seen):
    status, headers, body = ask("/api/v1/nothing")
    assert (status, json.loads(body)) == (404, {"error": "There is no such endpoint."})
    assert headers[b"Content-Length"] == str(len(body)).encode()
    # it says that it is free a moment after its answer is there
    eventually(lambda: ask.handler._threads._idle_semaphore._value)
    ask("/api/v1/nothing")
    assert len(seen) == 6
    assert len(set(seen)) == 1
    assert threading.get_ident() not in seen


def test_what_comes_in_pieces_is_sent_in_pieces_and_closed(ask, monkeypatch):
    closed = []
    answer = StreamingHttpResponse(iter([b"one ", b"two"]))
    monkeypatch.setattr(answer, "close", lambda: closed.append(True))
    monkeypatch.setattr(ask.handler, "get_response", lambda request: answer)
    status, _, body = ask("/logs")
    assert (status, body, closed) == (200, b"one two", [True])


def test_a_client_that_left_gets_nothing(ask, seen):
    assert ask("/", events=[{"type": "http.disconnect"}]) is None
    assert not seen


def test_cookies_are_headers_each(ask, monkeypatch):
    answer = ask.handler.get_response

    def with_cookies(request):
        response = answer(request)
        response.set_cookie("a", "1")
        return response

    monkeypatch.setattr(ask.handler, "get_response", with_cookies)
    assert ask("/api/v1/nothing")[1][b"Set-Cookie"].startswith(b"a=1")
