"""Streams over real connections."""

import json
import threading
import time

import httpx
import pytest
from django.db import connection

from dashboard.realtime import hub, sse
from runs import lifecycle
from runs.lifecycle import streams
from runs.models import StreamChunk
from runs.reads.streams import Place, read
from tests.support.rows import completed_run, executing_run, queued_run
from trackside import Client


def path(run, rest):
    return f"/realtime/v1/streams/{run.pk}/{rest}"


def events(http, run, key="tokens", **headers):
    """Ids and data of an answer to its end, and how long that took."""
    began = time.monotonic()
    with http.stream(
        "GET", path(run, key), headers={n.replace("_", "-"): v for n, v in headers.items()}
    ) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = list(answer.iter_lines())
    ids = [int(line.rpartition("-")[2]) for line in lines if line.startswith("id: ")]
    data = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
    return ids, data, time.monotonic() - began


def later(call, *arguments):
    def closing():
        try:
            call(*arguments)
        finally:
            connection.close()

    threading.Timer(0.1, closing).start()


def stored(run, key="tokens", *, is_input=False):
    return [json.loads(text) for _, text, _ in read(Place(run.pk, key, is_input), 0)]


def test_reads_what_there_is_and_ends_with_the_run(http):
    run = queued_run()
    streams.append(run.pk, "tokens", ['"a"', '{"b": 1}'])
    lifecycle.cancel(run.pk, actor="user:vera")
    ids, data, _ = events(http, run)
    assert (ids, data) == ([0, 1], ["a", {"b": 1}])


def test_follows_an_open_run(http):
    run = queued_run()

    def goes_on():
        streams.append(run.pk, "tokens", ["2", "3"])
        lifecycle.cancel(run.pk, actor="user:vera")

    streams.append(run.pk, "tokens", ["1"])
    later(goes_on)
    assert events(http, run)[:2] == ([0, 1, 2], [1, 2, 3])


def test_goes_on_where_the_client_stands(http):
    run = queued_run()
    streams.append(run.pk, "tokens", ["0", "1", "2", "3"])
    lifecycle.cancel(run.pk, actor="user:vera")
    for last, ids in (("1", [2, 3]), ("17640-1", [2, 3]), ("-1", [0, 1, 2, 3]), ("9", [])):
        assert events(http, run, last_event_id=last)[0] == ids
    assert events(http, run, x_trigger_stream_start="latest")[0] == []


def test_ends_when_nothing_comes(http, monkeypatch):
    monkeypatch.setattr(sse, "PATIENCE", 0.2)
    ids, _, took = events(http, queued_run())
    assert ids == []
    assert 0.15 < took < 1


def test_many_chunks_come_whole(http):
    run = queued_run()
    streams.append(run.pk, "tokens", [str(number) for number in range(450)])
    lifecycle.cancel(run.pk, actor="user:vera")
    assert events(http, run)[1] == list(range(450))


def test_a_header_that_cannot_be_is_a_400(http):
    run = queued_run()
    for headers in ({"last-event-id": "x"}, {"last-event-id": "1-"}, {"timeout-seconds": "soon"}):
        answer = http.get(path(run, "tokens"), headers=headers)
        assert (answer.status_code, bool(answer.json()["error"])) == (400, True)


def test_an_unknown_run_is_not_found(http):
    for run_id in ("run_0", "nothing"):
        assert http.get(f"/realtime/v1/streams/{run_id}/tokens").status_code == 404
        assert http.post(f"/realtime/v1/streams/{run_id}/self/tokens").status_code == 404
        assert http.post(f"/realtime/v1/streams/{run_id}/input/i", json={}).status_code == 404


def test_a_writer_sends_lines_and_goes_on_where_it_was(http):
    run, _ = executing_run()
    headers = {"x-client-id": "w1"}
    answer = http.put(path(run, "self/tokens"))
    assert (answer.status_code, answer.json()) == (202, {"version": "v1"})
    assert (
        http.head(path(run, "self/tokens"), headers=headers).headers["x-last-chunk-index"] == "-1"
    )

    def lines():
        yield b'"a"\n"b'
        yield b'"\n\n'
        yield b'{"c": 1}'

    answer = http.post(path(run, "self/tokens"), content=lines(), headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert stored(run) == ["a", "b", {"c": 1}]
    assert http.head(path(run, "self/tokens"), headers=headers).headers["x-last-chunk-index"] == "2"
    again = {**headers, "x-resume-from-chunk": "1"}
    http.post(path(run, "self/tokens"), content=b'"b"\n{"c": 1}\n"d"\n', headers=again)
    assert stored(run) == ["a", "b", {"c": 1}, "d"]


def test_lines_can_be_read_while_the_writer_goes_on(http):
    run, _ = executing_run()
    seen = []

    def lines():
        yield b"1\n"
        until = time.monotonic() + 3
        while not seen and time.monotonic() < until:
            time.sleep(0.02)
            seen.extend(StreamChunk.objects.values_list("text", flat=True))
        yield b"2\n"

    assert http.post(path(run, "self/tokens"), content=lines()).status_code == 200
    assert seen == ["1"]
    assert stored(run) == [1, 2]


def test_streams_of_parent_and_root(http):
    root = queued_run()
    child = queued_run(parent_id=root.pk)
    for target in ("parent", "root"):
        assert http.post(path(child, f"{target}/log/append"), content=b"x").json() == {"ok": True}
    http.post(path(root, "root/log/append"), content=b"y")
    assert stored(root, "log") == ["x", "x", "y"]


def test_a_line_that_is_none_is_refused(http):
    run, _ = executing_run()
    large = b'"' + b"x" * 1_100_000
    for body, status in ((b"nonsense\n", 400), (b"\xff\n", 400), (large, 413)):
        answer = http.post(path(run, "self/tokens"), content=body)
        assert (answer.status_code, bool(answer.json()["error"])) == (status, True)
    assert stored(run) == []


def test_a_run_that_has_ended_takes_nothing(http):
    run = completed_run()
    for answer in (
        http.post(path(run, "self/tokens/append"), content=b"x"),
        http.post(path(run, "self/tokens"), content=b"1\n"),
        http.post(path(run, "input/approval"), json={"data": 1}),
    ):
        assert answer.status_code == 400
        assert "ended" in answer.json()["error"]


def test_a_message_reaches_the_input(http, monkeypatch):
    monkeypatch.setattr(sse, "PATIENCE", 0.1)
    run, _ = executing_run()
    answer = http.post(path(run, "input/approval"), json={"data": {"by": "ann"}})
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert stored(run, "approval", is_input=True) == [{"by": "ann"}]
    lifecycle.cancel(run.pk, actor="user:vera")
    assert events(http, run, "input/approval")[1] == [{"by": "ann"}]


def test_a_message_that_is_none_is_refused(http):
    run, _ = executing_run()
    for body in (b"", b"[]", b"{", b"\xff", b'{"data": NaN}'):
        assert http.post(path(run, "input/approval"), content=body).status_code == 400
    assert stored(run, "approval", is_input=True) == []


def test_the_python_client_writes_reads_and_sends(http, address):
    run, _ = executing_run()
    key = http.headers["authorization"].removeprefix("Bearer ")
    with Client(address, key) as client:
        assert client.streams.write(run.pk, "a/b", iter(["x", {"n": 1}])) == 2
        client.streams.append(run.pk, "a/b", None)
        client.streams.send(run.pk, "go", {"ok": True})
        assert stored(run, "go", is_input=True) == [{"ok": True}]
        later(lambda: lifecycle.cancel(run.pk, actor="user:vera"))
        chunks = client.streams.chunks(run.pk, "a/b")
        first = next(chunks)
        chunks.close()
        rest = list(client.streams.read(run.pk, "a/b", after=first, timeout=1))
        assert (first.number, first.value, rest) == (0, "x", [{"n": 1}, None])
        assert next(client.streams.messages(run.pk, "go")) == {"ok": True}


def test_a_process_that_stops_cuts_off_and_does_not_say_that_this_was_all(http):
    run = queued_run()
    streams.append(run.pk, "tokens", ["1"])
    seen = []

    def stop():
        for loop, here in hub._hubs.items():
            if here.count:
                loop.call_soon_threadsafe(here.stop)

    def follow():
        with http.stream("GET", path(run, "tokens")) as answer:
            for line in answer.iter_lines():
                seen.append(line)
                if not line:
                    stop()

    with pytest.raises(httpx.RemoteProtocolError):
        follow()
    assert seen[1:] == ["data: 1", ""]
