"""What bodies give out chunk by chunk."""

import time
from typing import Any

import pytest
from django.db import OperationalError

from engine import streams, task
from engine.execution.outcomes import Succeeded
from engine.sdk import streambook
from runs.errors import InvalidOption
from runs.lifecycle.streams import StreamClosed
from tests.engine.support import Sink, carry_out


def test_chunks_are_stored_together_in_their_order_at_the_end(fake_runtime):
    @task
    def body(payload):
        for number in range(5):
            streams.append("tokens", {"n": number})
        streams.append("other", "x")
        assert not fake_runtime.streams.parts

    carry_out(body)
    (run_id, attempt, first), (_, _, second) = fake_runtime.streams.parts
    assert (run_id, attempt, first.key, second.key) == ("run_1", 1, "tokens", "other")
    assert fake_runtime.streams.chunks == [*({"n": n} for n in range(5)), "x"]


def test_chunks_are_stored_while_the_body_goes_on(fake_runtime, monkeypatch):
    monkeypatch.setattr(streambook, "PERIOD", 0.01)

    @task
    def body(payload):
        streams.append("tokens", 1)
        until = time.monotonic() + 5
        while not fake_runtime.streams.parts and time.monotonic() < until:
            time.sleep(0.01)
        streams.append("tokens", 2)

    carry_out(body)
    assert [(part.before, part.chunks) for _, _, part in fake_runtime.streams.parts] == [
        (0, ["1"]),
        (1, ["2"]),
    ]


def test_a_fast_producer_waits_until_what_it_made_is_stored(fake_runtime, monkeypatch):
    monkeypatch.setattr(streambook, "MOST", 10)

    @task
    def body(payload):
        for number in range(25):
            streams.append("tokens", number)

    carry_out(body)
    assert [len(part.chunks) for _, _, part in fake_runtime.streams.parts] == [10, 10, 5]
    assert fake_runtime.streams.chunks == list(range(25))


def test_pipe_passes_items_through(fake_runtime):
    @task
    def body(payload):
        return list(streams.pipe("letters", "abc"))

    outcome = carry_out(body)
    assert outcome.output == '["a","b","c"]'
    assert fake_runtime.streams.chunks == ["a", "b", "c"]


def test_pipe_passes_async_items_through(fake_runtime):
    async def letters():
        for letter in "abc":
            yield letter

    @task
    async def body(payload):
        return [item async for item in streams.pipe("letters", letters())]

    assert carry_out(body).output == '["a","b","c"]'
    assert fake_runtime.streams.chunks == ["a", "b", "c"]


def test_a_writer_stores_when_its_block_is_left(fake_runtime):
    @task
    def body(payload):
        with streams.writer("rows") as rows:
            rows.write(1)
            rows.write(2)
        assert fake_runtime.streams.chunks == [1, 2]

    assert isinstance(carry_out(body), Succeeded)


def test_chunks_wait_for_a_database_that_is_away(fake_runtime):
    fake_runtime.failures = [OperationalError("away"), OperationalError("away")]

    @task
    def body(payload):
        streams.append("a", 1)
        streams.append("b", 2)
        streams.append("a", 3)

    assert isinstance(carry_out(body), Succeeded)
    assert fake_runtime.streams.chunks == [1, 3, 2]


def test_a_stream_that_is_refused_is_said_once_and_the_run_goes_on(fake_runtime, monkeypatch):
    monkeypatch.setattr(streambook, "MOST", 1)
    fake_runtime.failures = [StreamClosed("Attempt 1 does not execute any more.")]
    sink = Sink()

    @task
    def body(payload):
        for number in range(3):
            streams.append("tokens", number)

    assert isinstance(carry_out(body, sink=sink), Succeeded)
    said = [line for line in [text for _, _, text in sink.lines] if "takes no more chunks" in line]
    assert len(said) == 1
    assert fake_runtime.streams.parts == []


@pytest.mark.parametrize("key", ["", "x" * 129, "a\nb", 7, None])
def test_a_key_that_is_none_is_refused(key):
    with pytest.raises(InvalidOption, match="key"):
        streams.append(key, 1)


def test_a_chunk_without_a_json_form_is_refused():
    with pytest.raises(InvalidOption, match="tokens"):
        streams.append("tokens", float("nan"))


def test_nothing_is_written_outside_of_a_run(fake_runtime):
    streams.append("tokens", 1)
    assert list(streams.pipe("tokens", [1])) == [1]
    assert fake_runtime.streams.parts == []


def test_writes_to_the_streams_of_parent_and_root(fake_runtime):
    @task
    def body(payload):
        streams.append("a", 1)
        streams.append("a", 2, target="parent")
        list(streams.pipe("a", [3], target="root"))
        with streams.writer("a", target="parent") as parent:
            parent.write(4)
        return "ok"

    carry_out(body, parent_id="run_p", root_id="run_r")
    parts = [part for _, _, part in fake_runtime.streams.parts]
    assert {(one.owner, *one.chunks) for one in parts} == {
        (None, "1"),
        ("run_p", "2", "4"),
        ("run_r", "3"),
    }


def test_a_run_without_parent_writes_to_its_own(fake_runtime):
    @task
    def body(payload):
        streams.append("a", 1, target="parent")
        streams.append("a", 2, target="root")

    carry_out(body, root_id="run_1")
    ((_, _, part),) = fake_runtime.streams.parts
    assert (part.owner, part.chunks) == (None, ["1", "2"])


def test_a_target_is_one_of_three(fake_runtime):
    calls: list[Any] = [streams.append, streams.pipe]
    for call in calls:
        with pytest.raises(InvalidOption, match="self, parent or root"):
            call("a", [1], target="run_1")
    writer: Any = streams.writer
    with pytest.raises(InvalidOption):
        writer("a", target="")
