"""Streams of runs as they are stored."""

import json
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from runs import lifecycle
from runs.errors import InvalidOption, NotFound, PayloadTooLarge
from runs.lifecycle import retention, streams
from runs.lifecycle.streams import StreamClosed, Writer
from runs.models import Run, Stream, StreamChunk
from runs.reads import streams as reads
from runs.reads.streams import Place
from tests.support.rows import completed_run, executing_run, queued_run

pytestmark = pytest.mark.django_db


def texts(run, key="tokens", *, is_input=False):
    return [chunk.text for chunk in reads.read(Place(run.pk, key, is_input), 0)]


def test_chunks_have_numbers_without_gaps():
    run = queued_run()
    assert streams.append(run.pk, "tokens", ["1", "2"]) == 2
    assert streams.append(run.pk, "tokens", ["3"]) == 3
    assert [chunk[:2] for chunk in reads.read(Place(run.pk, "tokens"), 1)] == [(1, "2"), (2, "3")]


def test_the_run_tells_its_streams_and_that_there_is_a_new_one():
    run = queued_run()
    streams.append(run.pk, "b", ["1"])
    streams.append(run.pk, "a", ["1"])
    assert reads.keys([run.pk]) == {run.pk: ["b", "a"]}
    told = Run.objects.get(pk=run.pk).updated_at
    assert told > run.updated_at
    streams.append(run.pk, "a", ["2"])
    assert Run.objects.get(pk=run.pk).updated_at == told


def test_what_a_writer_sends_again_is_not_stored_again():
    run = queued_run()
    for before, chunks in ((0, ["1", "2"]), (0, ["1", "2"]), (1, ["2", "3"]), (3, ["4"])):
        streams.append(run.pk, "tokens", chunks, writer=Writer("w", before))
    streams.append(run.pk, "tokens", ["5"], writer=Writer("other"))
    assert texts(run) == ["1", "2", "3", "4", "5"]
    assert streams.taken(run.pk, "tokens", "w") == 4
    assert streams.taken(run.pk, "tokens", "nobody") == 0


def test_only_the_attempt_that_executes_appends():
    run, _ = executing_run()
    streams.append(run.pk, "tokens", ["1"], writer=Writer("w", attempt=1))
    with pytest.raises(StreamClosed, match="Attempt 2"):
        streams.append(run.pk, "tokens", ["1"], writer=Writer("w", attempt=2))
    with pytest.raises(StreamClosed, match="Attempt 1"):
        streams.append(queued_run().pk, "tokens", ["1"], writer=Writer("w", attempt=1))


def test_a_run_that_has_ended_takes_nothing():
    run = completed_run()
    for call in (
        lambda: streams.append(run.pk, "tokens", ["1"]),
        lambda: streams.send(run.pk, "approval", "1", by=""),
    ):
        with pytest.raises(StreamClosed, match="ended"):
            call()
    with pytest.raises(NotFound):
        streams.append("run_0", "tokens", ["1"])


@pytest.mark.parametrize("key", ["", "x" * 129, "a\x00", "a\n", "\ud800"])
def test_a_key_must_be_one(key):
    with pytest.raises(InvalidOption, match="key"):
        streams.append("run_0", key, ["1"])


@pytest.mark.parametrize(
    ("name", "chunks", "said"),
    [
        ("STREAM_CHUNK_LIMIT", ["1" * 101], "A chunk"),
        ("STREAM_LIMIT", ["1", "1"], "The stream"),
        ("RUN_STREAMS_LIMIT", ["1", "1"], "All streams"),
    ],
)
def test_a_limit_stores_nothing(settings, name, chunks, said):
    settings.TRACKSIDE = {**settings.TRACKSIDE, name: 100}
    run = queued_run()
    with pytest.raises(PayloadTooLarge, match=said):
        streams.append(run.pk, "tokens", chunks)
    assert not StreamChunk.objects.exists()


def test_a_run_has_only_so_many_streams(monkeypatch):
    monkeypatch.setattr(streams, "MOST_STREAMS", 2)
    run = queued_run()
    for key in "ab":
        streams.append(run.pk, key, ["1"])
    with pytest.raises(InvalidOption, match="at most 2"):
        streams.append(run.pk, "c", ["1"])


def test_a_chunk_stands_on_one_line():
    run = queued_run()
    streams.send(run.pk, "approval", '{\r\n "a": "b\\n"\n}', by="")
    (text,) = texts(run, "approval", is_input=True)
    assert "\n" not in text
    assert json.loads(text) == {"a": "b\n"}


def test_retention_takes_the_chunks_along(monkeypatch):
    monkeypatch.setattr(retention, "LINES", 2)
    run = queued_run()
    streams.append(run.pk, "tokens", ["1", "2", "3", "4", "5"])
    streams.send(run.pk, "approval", "1", by="")
    lifecycle.cancel(run.pk, actor="user:vera")
    assert lifecycle.prune_runs(timezone.now() + timedelta(seconds=1)).gone == 1
    assert not StreamChunk.objects.exists()
    assert not Stream.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_writers_at_the_same_time_lose_nothing():
    run = queued_run()

    def write(name):
        try:
            for number in range(10):
                streams.append(run.pk, "tokens", [f'"{name}{number}"'], writer=Writer(name, number))
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=[name]) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = texts(run)
    assert Stream.objects.get().count == len(found) == 30
    for name in "abc":
        assert [one for one in found if name in one] == [f'"{name}{n}"' for n in range(10)]


def test_a_child_writes_to_the_stream_of_another_run_while_it_executes():
    (child, _), parent = executing_run(), queued_run()
    writer = Writer("w")
    assert streams.append_for(child.pk, 1, parent.pk, "all", ["1", "2"], writer=writer) == 2
    assert streams.append_for(child.pk, 1, parent.pk, "all", ["1", "2", "3"], writer=writer) == 3
    assert (texts(parent, "all"), texts(child, "all")) == (["1", "2", "3"], [])
    with pytest.raises(StreamClosed, match="Attempt 2"):
        streams.append_for(child.pk, 2, parent.pk, "all", ["4"], writer=Writer("x"))
    with pytest.raises(NotFound):
        streams.append_for(child.pk, 1, "run_0", "all", ["4"], writer=Writer("x"))
    lifecycle.cancel(parent.pk, actor="user:vera")
    with pytest.raises(StreamClosed, match="ended"):
        streams.append_for(child.pk, 1, parent.pk, "all", ["4"], writer=Writer("x"))
    assert texts(parent, "all") == ["1", "2", "3"]
