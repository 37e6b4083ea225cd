import asyncio
import errno
import json

import pytest

from dashboard.bodylimit import body_limit, limit_bodies

SCOPE = {"type": "http", "path": "/api/v1/tasks/x/trigger", "headers": []}


@pytest.fixture(autouse=True)
def _small(settings):
    settings.TRACKSIDE = {"PAYLOAD_LIMIT": 1}


async def spooling(scope, receive, send):
    """Reads the whole body first, as Django does, then answers with its size."""
    size, more = 0, True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        size += len(event["body"])
        more = event.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


def call(chunks, *, headers=(), path=SCOPE["path"], pause=0.0, seconds=60.0):
    """Status, body and headers of the answer, and how many chunks were read."""
    sent, left = [], list(chunks)

    async def receive():
        await asyncio.sleep(pause)
        body = left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(left)}

    async def send(event):
        sent.append(event)

    scope = {**SCOPE, "path": path, "headers": list(headers)}
    asyncio.run(limit_bodies(spooling, seconds=seconds)(scope, receive, send))
    start, body = sent
    return start["status"], body["body"], dict(start["headers"]), len(chunks) - len(left)


def test_lets_a_body_of_the_limit_pass():
    assert call([b"x" * body_limit()])[:2] == (200, str(body_limit()).encode())
    assert call([b"", b"ab", b"c"])[:2] == (200, b"3")


def test_stops_reading_a_chunked_body_at_the_limit():
    status, body, headers, read = call([b"x" * (body_limit() // 2)] * 50)
    assert (status, read) == (413, 3)
    assert f"{body_limit():,} bytes" in json.loads(body)["error"]
    assert headers[b"connection"] == b"close"
    assert headers[b"content-length"] == str(len(body)).encode()


def test_refuses_a_declared_length_without_reading():
    length = str(body_limit() + 1).encode()
    assert call([b"x"], headers=[(b"content-length", length)])[::3] == (413, 0)


@pytest.mark.parametrize("length", [b"banana", b"-1", b"", b"\xb2"])
def test_a_length_that_is_none_is_counted_instead(length):
    assert call([b"x"], headers=[(b"content-length", length)])[0] == 200


def test_a_body_that_never_ends_is_given_up():
    status, body, *_ = call([b"x"] * 100, pause=0.05, seconds=0.12)
    assert status == 408
    assert "in time" in json.loads(body)["error"]


def test_a_body_whose_parts_never_let_it_wait_is_given_up_too():
    assert call([b"x"] * 3, seconds=0)[0] == 408


def test_pages_get_a_plain_sentence():
    _, body, headers, _ = call([b"x" * (body_limit() + 1)], path="/test")
    assert headers[b"content-type"].startswith(b"text/plain")
    assert body.startswith(b"The request's body is larger")


def test_waiting_for_the_client_to_leave_has_no_limit_of_time():
    async def lingering(scope, receive, send):
        await receive()
        await receive()
        await spooling(scope, receive, send)

    events = [{"type": "http.request", "body": b""}, {"type": "http.disconnect"}]

    async def receive():
        await asyncio.sleep(0.05)
        return events.pop(0)

    async def never(event):
        raise AssertionError(event)

    async def main():
        with pytest.raises(IndexError):
            await limit_bodies(lingering, seconds=0.06)(dict(SCOPE), receive, never)

    asyncio.run(main())


def test_a_full_disk_is_told_and_other_faults_are_not_hidden():
    sent = []

    async def send(event):
        sent.append(event)

    def failing(code):
        async def app(scope, receive, send):
            raise OSError(code, "spooling")

        asyncio.run(limit_bodies(app)(dict(SCOPE), None, send))

    failing(errno.ENOSPC)
    assert (sent[0]["status"], "no room" in json.loads(sent[1]["body"])["error"]) == (507, True)
    with pytest.raises(OSError, match="spooling"):
        failing(errno.EIO)


def test_other_protocols_pass_untouched():
    seen = []

    async def app(scope, receive, send):
        seen.append((scope, receive, send))

    asyncio.run(limit_bodies(app)({"type": "lifespan"}, "receive", "send"))
    assert seen == [({"type": "lifespan"}, "receive", "send")]


def test_items_of_a_batch_have_a_limit_of_their_own(settings):
    settings.TRACKSIDE = {"PAYLOAD_LIMIT": 1, "BATCH_LIMIT": body_limit() + 8}
    path = "/api/v3/batches/batch_1/items"
    body = b"x" * (body_limit() + 8)
    assert call([body], path=path)[0] == 200
    assert call([body + b"x"], path=path)[0] == 413
    assert call([body])[0] == 413
