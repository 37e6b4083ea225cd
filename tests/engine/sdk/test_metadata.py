"""What bodies note on their run."""

import time
from datetime import date

import pytest
from django.db import DataError, IntegrityError, OperationalError

from engine import metadata, tags, task
from engine.execution.outcomes import Succeeded
from engine.sdk import notes
from runs.errors import InvalidOption
from tests.engine.support import Sink, carry_out

TIMEOUT = 5


def stored(fake):
    return [dict(op) for _, changes in fake.changes for op in changes.own]


def test_changes_show_at_once_and_are_stored_at_the_end(fake_runtime):
    seen = []

    @task
    def body(payload):
        metadata.set("progress", 1)
        metadata.increment("progress", 2)
        metadata.append("log", date(2026, 1, 2))
        metadata.set("$.deep.er", {"a": 1})
        metadata.delete("old")
        seen.append(metadata.current())
        seen.append(metadata.get("$.deep.er.a"))
        assert not fake_runtime.changes

    carry_out(body, metadata='{"old": true}')
    assert seen == [{"progress": 3, "log": ["2026-01-02"], "deep": {"er": {"a": 1}}}, 1]
    assert [op["type"] for op in stored(fake_runtime)] == [
        "set",
        "increment",
        "append",
        "set",
        "delete",
    ]
    assert fake_runtime.changes[0][0] == "run_1"


def test_of_one_key_only_the_last_value_is_stored(fake_runtime):
    @task
    def body(payload):
        for number in range(10):
            metadata.set("n", number)
        metadata.set("m", 1)

    carry_out(body)
    assert [(op["key"], op["value"]) for op in stored(fake_runtime)] == [("n", 9), ("m", 1)]


def test_what_a_failing_body_noted_is_stored(fake_runtime):
    @task
    def body(payload):
        metadata.replace({"a": 1})
        raise ValueError

    carry_out(body)
    assert stored(fake_runtime) == [{"type": "update", "value": {"a": 1}}]


def test_parent_and_root_get_operations_of_their_own(fake_runtime):
    @task
    def body(payload):
        metadata.parent.increment("done")
        metadata.root.append("who", "me")
        metadata.root.remove("who", "you")
        metadata.root.decrement("left")
        assert metadata.current() == {}

    carry_out(body)
    ((_, changes),) = fake_runtime.changes
    assert [op["type"] for op in changes.parent] == ["increment"]
    assert [op["type"] for op in changes.root] == ["append", "remove", "increment"]
    assert changes.root[-1]["value"] == -1


def test_changes_are_stored_while_the_body_goes_on(fake_runtime, monkeypatch):
    monkeypatch.setattr(notes, "PERIOD", 0.01)

    @task
    def body(payload):
        metadata.set("a", 1)
        until = time.monotonic() + TIMEOUT
        while not fake_runtime.changes and time.monotonic() < until:
            time.sleep(0.01)
        metadata.set("a", 2)

    carry_out(body)
    assert [op["value"] for op in stored(fake_runtime)] == [1, 2]


@pytest.mark.parametrize("background", [True, False])
def test_nothing_is_lost_while_the_database_is_away(fake_runtime, monkeypatch, background):
    monkeypatch.setattr(notes, "PERIOD", 0.01 if background else 60)
    monkeypatch.setattr("engine.sdk.notes.time.sleep", lambda _: None)
    fake_runtime.failures = [OperationalError("away"), OperationalError("away")]

    @task
    def body(payload):
        metadata.set("a", 1)
        until = time.monotonic() + TIMEOUT
        while background and not fake_runtime.changes and time.monotonic() < until:
            pass
        metadata.increment("b")

    carry_out(body)
    assert [op["key"] for op in stored(fake_runtime)] == ["a", "b"]


@pytest.mark.parametrize("kind", [InvalidOption, DataError, IntegrityError])
def test_what_the_database_refuses_is_said(fake_runtime, kind):
    fake_runtime.failures = [kind("metadata", "no room")]
    sink = Sink()

    @task
    def body(payload):
        metadata.set("a", 1)
        metadata.flush()
        return "went on"

    assert carry_out(body, sink=sink).output == '"went on"'
    assert len(sink.messages) == 1
    assert "Metadata was not stored: " in sink.messages[0]
    assert "no room" in sink.messages[0]


def test_what_is_refused_at_the_end_is_not_tried_for_ever(fake_runtime, monkeypatch):
    monkeypatch.setattr("engine.sdk.notes.time.sleep", lambda _: pytest.fail("it tried again"))
    fake_runtime.failures = [IntegrityError("no parent")]

    @task
    def body(payload):
        metadata.parent.set("a", 1)

    carry_out(body)
    assert fake_runtime.failures == []


def test_a_refresh_takes_over_what_is_stored(fake_runtime):
    @task
    def body(payload):
        metadata.set("a", 1)
        metadata.refresh()
        return metadata.current()

    assert carry_out(body).output == '{"stored":true}'


@pytest.mark.parametrize("value", [object(), float("nan"), "x" * 300_000])
def test_what_cannot_be_kept_is_refused_where_it_is_set(fake_runtime, value):
    @task
    def body(payload):
        metadata.set("kept", 1)
        with pytest.raises(InvalidOption, match="metadata"):
            metadata.set("a", value)
        return metadata.current()

    assert carry_out(body).output == '{"kept":1}'
    assert [op["key"] for op in stored(fake_runtime)] == ["kept"]


def test_outside_of_a_run_metadata_does_nothing(fake_runtime):
    metadata.set("a", 1)
    metadata.parent.set("a", 1)
    metadata.flush()
    metadata.refresh()
    assert (metadata.current(), metadata.get("a"), fake_runtime.changes) == (None, None, [])


def test_tags_are_added(fake_runtime):
    @task
    def body(payload):
        tags.add("a", ["b", "c"])

    carry_out(body)
    assert fake_runtime.tags == ["a", "b", "c"]


def test_tags_that_do_not_fit_do_not_end_the_run(fake_runtime):
    fake_runtime.failures = [InvalidOption("tags", "too many")]
    sink = Sink()

    @task
    def body(payload):
        tags.add("a")
        return 1

    assert carry_out(body, sink=sink).output == "1"
    assert sink.messages == ["Tags were not added: too many"]


@pytest.mark.parametrize("given", [3, None, ["a", 3], {"a": 1}])
def test_what_is_no_tag_is_an_error_of_the_body(fake_runtime, given):
    @task(retry={"max_attempts": 1})
    def body(payload):
        with pytest.raises(InvalidOption, match="takes text or lists of texts"):
            tags.add(given)

    assert isinstance(carry_out(body), Succeeded)
    assert fake_runtime.tags == []


def test_an_error_of_another_kind_ends_the_attempt(fake_runtime):
    fake_runtime.failures = [OperationalError("away")]

    @task
    def body(payload):
        tags.add("a")

    assert "away" in carry_out(body).error


def test_outside_of_a_run_tags_are_an_error():
    with pytest.raises(RuntimeError, match="no run here"):
        tags.add("a")
