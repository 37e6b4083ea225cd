"""Streams of runs: read as they come, taken up after a loss, written once however often it is tried."""

import httpx
import pytest
from asgiref.sync import async_to_sync

from trackside import AsyncClient, BadRequest, ConnectionFailed

pytestmark = pytest.mark.once
LAST = "last-event-id"


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body in pieces, and maybe a loss after them; remembers that it was closed."""

    def __init__(self, *pieces, lost=False):
        self.pieces, self.lost, self.is_closed = pieces, lost, False

    def __iter__(self):
        yield from self.pieces
        if self.lost:
            raise httpx.ReadError("reset")

    async def __aiter__(self):
        for piece in self:
            yield piece

    def close(self):
        self.is_closed = True

    async def aclose(self):
        self.close()


def body(*pieces, lost=False):
    return httpx.Response(200, stream=Pieces(*pieces, lost=lost))


def event(number, data):
    return f"id: 1700000000500-{number}\ndata: {data}\n\n".encode()


def test_reads_values_out_of_whatever_pieces_they_come_in(server):
    whole = event(0, '"a\u2028b"') + b": still here\n\n" + event(1, '{"n": 1}')
    far = server(body(*(whole[place : place + 7] for place in range(0, len(whole), 7))))
    assert list(far.client().streams.read("run_1", "a/b")) == ["a\u2028b", {"n": 1}]
    assert far.asked[0].url.raw_path == b"/base/realtime/v1/streams/run_1/a%2Fb"
    assert far.asked[0].headers["timeout-seconds"] == "60"


def test_a_chunk_tells_its_number_and_time(server):
    far = server(body(event(7, "1")))
    (chunk,) = far.client().streams.chunks("run_1", "a")
    assert (chunk.id, chunk.number, chunk.value) == ("1700000000500-7", 7, 1)
    assert chunk.at.timestamp() == 1700000000.5


def test_goes_on_behind_the_last_chunk_after_a_loss(server):
    far = server(body(event(0, "1"), event(1, "2"), lost=True), body(event(2, "3")))
    assert list(far.client().streams.read("run_1", "a")) == [1, 2, 3]
    assert LAST not in far.asked[0].headers
    assert far.asked[1].headers[LAST] == "1700000000500-1"


def test_gives_up_where_nothing_comes_any_more(server):
    far = server(*(body(lost=True) for _ in range(9)))
    with pytest.raises(ConnectionFailed):
        list(far.client().streams.read("run_1", "a", timeout=5))
    assert len(far.asked) == 5


def test_waits_for_a_server_that_restarts(server, pauses):
    away = [httpx.ConnectError("refused"), httpx.Response(503, json={"error": "starting"})]
    far = server(body(event(0, "1"), lost=True), *away, body(event(1, "2")))
    assert list(far.client().streams.read("run_1", "a")) == [1, 2]
    assert pauses == [0.5, 1.0, 1.5]


def test_a_server_that_was_never_there_is_an_error(server):
    with pytest.raises(ConnectionFailed):
        list(server(httpx.ConnectError("no")).client(max_attempts=2).streams.read("run_1", "a"))


def test_begins_where_it_is_told_to(server):
    far = server(body(event(3, "1")), body(), body(), body())
    (chunk,) = far.client().streams.chunks("run_1", "a", start=3)
    list(far.client().streams.read("run_1", "a", after=chunk))
    list(far.client().streams.read("run_1", "a", latest=True, timeout=5))
    list(far.client().streams.messages("run_1", "a", after="7"))
    assert [one.headers.get(LAST) for one in far.asked] == ["2", chunk.id, None, "7"]
    assert far.asked[2].headers["x-trigger-stream-start"] == "latest"
    assert far.asked[3].url.path.endswith("/run_1/input/a")


def test_a_refusal_is_told_as_any_other(server):
    far = server(httpx.Response(400, json={"error": "no such key"}))
    with pytest.raises(BadRequest, match="no such key"):
        next(far.client().streams.read("run_1", "a"))


def test_closes_the_answer_of_who_stops_reading(server):
    pieces = Pieces(event(0, "1"), event(1, "2"))
    values = server(httpx.Response(200, stream=pieces)).client().streams.read("run_1", "a")
    next(values)
    assert not pieces.is_closed
    values.close()
    assert pieces.is_closed


def test_writes_lines_under_one_name(server, monkeypatch):
    monkeypatch.setattr("trackside.outgoing.MOST", 2)
    far = server(httpx.Response(200, json={"ok": True}))
    assert far.client().streams.write("run_1", "a", iter([1, "b", None]), target="root") == 3
    assert [one.read() for one in far.asked] == [b'1\n"b"\n', b"null\n"]
    assert [one.headers["x-resume-from-chunk"] for one in far.asked] == ["0", "2"]
    assert len({one.headers["x-client-id"] for one in far.asked}) == 1
    assert far.asked[0].url.path.endswith("/run_1/root/a")


def test_sends_again_what_may_be_lost_and_takes_nothing_twice_from_the_source(server):
    taken = []

    def source():
        for number in range(3):
            taken.append(number)
            yield number

    answers = httpx.ConnectError("refused"), httpx.Response(200, json={"ok": True})
    far = server(*answers)
    assert far.client().streams.write("run_1", "a", source()) == 3
    assert [one.read() for one in far.asked] == [b"0\n1\n2\n"] * 2
    assert {one.headers["x-resume-from-chunk"] for one in far.asked} == {"0"}
    assert taken == [0, 1, 2]


def test_what_has_no_form_in_json_is_said_before_it_is_sent(server):
    with pytest.raises(ValueError, match="JSON"):
        server(httpx.Response(200)).client().streams.append("run_1", "a", float("nan"))


def test_the_same_on_an_event_loop(server):
    async def values():
        yield 1
        yield 2

    far = server(httpx.Response(200, json={"ok": True}), body(event(0, "1"), lost=True), body())

    async def main():
        key = "tr_dev_secret_of_more_than_32_characters"
        transport = httpx.MockTransport(asynchronous(far))
        async with AsyncClient("http://far.example", key, transport=transport) as client:
            await client.streams.write("run_1", "a", values())
            return [one async for one in client.streams.read("run_1", "a")]

    assert async_to_sync(main)() == [1]
    assert far.asked[0].content == b"1\n2\n"
    assert far.asked[2].headers[LAST] == "1700000000500-0"


def asynchronous(far):
    async def answer(request):
        await request.aread()
        return far(request)

    return answer
