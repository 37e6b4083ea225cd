"""Spans between the workers, the database and a collector."""

import json

import pytest
from django.db import OperationalError

from engine.cluster import exporting, spanbook
from engine.cluster.lines import LineBook, LineSender
from engine.cluster.spanbook import SpanBook, packed
from engine.sdk.spanrecords import Record
from runs import telemetry, tracing
from runs.models import LogLine, Run, Span
from tests.support import rows
from tests.support.collector import collecting, facts_of

pytestmark = pytest.mark.django_db
RUN = "run_" + "a" * 26
SECOND = 1_000_000_000


def record(name="one", ended=2, **facts):
    facts = {
        "attempt": 1,
        "span_id": tracing.span_id(name),
        "parent_id": tracing.attempt_span_id(RUN, 1),
        "kind": "user",
        "status": "ok" if ended else "open",
        "started": SECOND,
        "trace_id": tracing.trace_id_of(RUN),
        "flags": 1,
    } | facts
    return Record(name=name, ended=ended and ended * SECOND, **facts)


def stored():
    return list(Span.objects.values_list("name", "status"))


def test_a_span_that_ends_soon_is_one_row():
    book = SpanBook()
    for one in (record(ended=None), record(), record("other", ended=None)):
        book.take(packed(RUN, one))
    book.flush()
    assert stored() == [("one", "ok"), ("other", "open")]
    book.take(packed(RUN, record("other")))
    book.flush()
    assert stored()[2:] == [("other", "ok")]
    row = Span.objects.first()
    assert (row.started_at.timestamp(), row.ended_at.timestamp()) == (1, 2)


def test_a_span_that_goes_on_after_a_short_wait_began_before_it():
    book = SpanBook()
    book.take(packed(RUN, record(ended=None)))
    book.take(packed(RUN, record(started=5 * SECOND, ended=9, is_older=True)))
    book.flush()
    row = Span.objects.get()
    assert (row.started_at.timestamp(), row.ended_at.timestamp()) == (1, 9)


def test_an_outage_costs_spans_and_says_how_many(monkeypatch):
    monkeypatch.setattr(spanbook, "MOST", 2)
    book = SpanBook()
    for number in range(5):
        book.take(packed(RUN, record(f"n{number}")))
    with monkeypatch.context() as outage:

        def away(*_):
            raise OperationalError("no server")

        outage.setattr(Span.objects, "bulk_create", away)
        with pytest.raises(OperationalError):
            book.flush()
    book.flush()
    book.flush()
    assert [name for name, _ in stored()] == ["n0", "n1", "3 more spans were dropped"]


def test_what_is_no_row_is_not_stored():
    book = SpanBook()
    book.take(packed(RUN, record(is_stored=False)))
    book.flush()
    assert stored() == []


class Pipe:
    """A channel with room for everything, or for nothing."""

    def __init__(self, room=True):
        self.messages, self.room = [], room

    def send(self, message, patience=0.05):
        self.messages.append((message, patience))
        return self.room


def test_lines_and_spans_come_the_same_way():
    pipe, book = Pipe(), LineBook()
    sender = LineSender(pipe)
    sender.begin(RUN, 1)
    sender.write(20, "root", "a line", 1.0)
    assert sender.span(record())
    book.take([message for message, _ in pipe.messages])
    book.flush()
    assert LogLine.objects.get().message == "a line"
    assert stored() == [("one", "ok")]


def test_nobody_waits_for_room_for_a_span_that_is_open():
    pipe = Pipe(room=False)
    sender = LineSender(pipe)
    assert not sender.span(record(ended=None))
    assert not sender.span(record())
    assert [patience for _, patience in pipe.messages] == [0, 0.05]


# -- export -------------------------------------------------------------------------------------------


@pytest.fixture
def collector():
    with collecting() as made:
        yield made


@pytest.fixture
def environment(monkeypatch):
    """Sets variables as an operator does."""

    def put(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(f"OTEL_{name}", value)

    exporting.is_possible.cache_clear()
    yield put
    exporting.is_possible.cache_clear()


def test_a_collector_gets_every_span_with_its_ids(collector, environment):
    environment(EXPORTER_OTLP_ENDPOINT=collector.url, SERVICE_NAME="shop")
    book = SpanBook()
    caller = f"{'c' * 16}"
    attempt = tracing.attempt_span_id(RUN, 1)
    kind = {"kind": "attempt", "span_id": attempt, "parent_id": caller, "is_stored": False}
    broken = {
        "status": "error",
        "error": "ValueError: no",
        "attributes": json.dumps({"a": 1, "b": None}),
    }
    canceled = {"status": "canceled", "kind": "http"}
    for one in (record("climate", **kind), record("one", **broken), record("two", **canceled)):
        book.take(packed(RUN, one))
    book.take(packed(RUN, record("unsampled", flags=0)))
    book.flush()
    book.give_up()
    found = collector.spans
    assert (collector.service, set(collector.paths)) == ("shop", {"/v1/traces"})
    assert set(found) == {"climate", "one", "two"}
    assert found["climate"].parent_span_id.hex() == caller
    assert {one.trace_id.hex() for one in found.values()} == {tracing.trace_id_of(RUN)}
    one = found["one"]
    assert (one.span_id.hex(), one.parent_span_id.hex()) == (tracing.span_id("one"), attempt)
    assert (one.start_time_unix_nano, one.end_time_unix_nano) == (SECOND, 2 * SECOND)
    assert (one.status.code, one.status.message) == (2, "ValueError: no")
    assert facts_of(one) == {
        "a": 1,
        "trackside.kind": "user",
        "trackside.attempt.number": 1,
        "trackside.run.id": RUN,
    }
    assert (found["two"].kind, facts_of(found["two"])["trackside.canceled"]) == (3, True)


def test_a_collector_gets_the_events_of_a_span(collector, environment):
    environment(EXPORTER_OTLP_ENDPOINT=collector.url)
    book = SpanBook()
    event = [SECOND + 5, "cache miss", {"key": "a", "none": None}]
    book.take(packed(RUN, record(attributes=json.dumps({"rows": 3, tracing.EVENTS: [event]}))))
    book.flush()
    book.give_up()
    span = collector.spans["one"]
    (told,) = span.events
    assert (told.time_unix_nano, told.name, facts_of(told)) == (
        SECOND + 5,
        "cache miss",
        {"key": "a"},
    )
    assert facts_of(span)["rows"] == 3
    assert tracing.EVENTS not in facts_of(span)


def test_the_first_span_of_a_trace_keeps_its_ids(collector, environment):
    environment(EXPORTER_OTLP_TRACES_ENDPOINT=f"{collector.url}/mine", TRACES_EXPORTER="otlp")
    book = SpanBook()
    book.take(packed(RUN, record("first", parent_id="", is_stored=False)))
    book.flush()
    book.give_up()
    first = collector.spans["first"]
    assert (first.span_id.hex(), first.parent_span_id) == (tracing.span_id("first"), b"")
    assert (collector.service, collector.paths) == ("trackside", ["/mine"])


def test_a_span_that_went_on_over_waits_has_its_own_beginning(collector, environment):
    environment(EXPORTER_OTLP_ENDPOINT=collector.url)
    book = SpanBook()
    book.take(packed(RUN, record(ended=None)))
    book.flush()
    book.take(packed(RUN, record(started=5 * SECOND, ended=9, is_older=True)))
    book.flush()
    book.give_up()
    assert collector.spans["one"].start_time_unix_nano == SECOND


def test_the_attempt_of_a_dead_worker_is_exported_too(collector, environment):
    environment(EXPORTER_OTLP_ENDPOINT=collector.url)
    run = rows.failed_run("dies")
    Run.objects.filter(pk=run.pk).update(traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
    book = SpanBook()
    book.died(run.pk)
    book.flush()
    book.give_up()
    span = collector.spans["dies"]
    assert span.span_id.hex() == tracing.attempt_span_id(run.pk, 1)
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == ("a" * 32, "b" * 16)
    assert span.status.message == "DeliveryError: mailbox is full"


def test_what_was_open_when_a_worker_died_is_exported_as_cut_off(collector, environment):
    environment(EXPORTER_OTLP_ENDPOINT=collector.url)
    run = rows.failed_run("dies")
    book = SpanBook()
    told = [record("whole"), record("open", started=SECOND, ended=None, status="open")]
    for one in (*told, record("later", ended=None, status="open", attempt=2)):
        book.take(packed(run.pk, one))
    book.died(run.pk)
    book.flush()
    book.give_up()
    assert set(collector.spans) == {"dies", "whole", "open"}
    cut = collector.spans["open"]
    assert cut.parent_span_id.hex() == tracing.attempt_span_id(RUN, 1)
    assert (cut.status.code, cut.status.message) == (2, exporting.CUT_OFF)
    assert cut.start_time_unix_nano == SECOND
    assert cut.end_time_unix_nano == collector.spans["dies"].end_time_unix_nano
    assert cut.trace_id == collector.spans["dies"].trace_id


def test_a_collector_that_is_away_costs_a_moment_and_nothing_else(environment, monkeypatch, caplog):
    environment(EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", EXPORTER_OTLP_TIMEOUT="1")
    otlp = exporting.import_module("engine.cluster.otlp")
    monkeypatch.setattr(otlp, "LAST", 0.2)
    book = SpanBook()
    for number in range(600):
        book.take(packed(RUN, record(f"n{number}")))
    book.flush()
    book.give_up()
    assert Span.objects.count() == 600


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, False),
        ({"EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"EXPORTER_OTLP_ENDPOINT": "http://c:4318", "SDK_DISABLED": "true"}, False),
        ({"EXPORTER_OTLP_ENDPOINT": "http://c:4318", "TRACES_EXPORTER": "none"}, False),
        ({"TRACES_EXPORTER": "otlp"}, True),
        ({"TRACES_EXPORTER": "console, otlp"}, True),
    ],
)
def test_the_standard_variables_ask_for_it(environment, variables, wanted):
    environment(**variables)
    assert (exporting.is_wanted(), exporting.is_possible()) == (wanted, wanted)


def test_what_cannot_be_exported_is_said_once(environment, monkeypatch, caplog):
    environment(EXPORTER_OTLP_ENDPOINT="http://c:4318", EXPORTER_OTLP_PROTOCOL="grpc")
    assert SpanBook().exporter is None
    assert "speaks http/protobuf" in caplog.messages[-1]
    monkeypatch.setattr(telemetry, "find_spec", lambda name: None)
    assert SpanBook().exporter is None
    assert "pip install “trackside[otel]”" in caplog.messages[-1]
    assert not exporting.is_possible()


def test_a_variable_that_cannot_be_right_stops_the_export_alone(environment, caplog):
    environment(EXPORTER_OTLP_ENDPOINT="http://c:4318", BSP_MAX_EXPORT_BATCH_SIZE="99999")
    book = SpanBook()
    assert book.exporter is None
    assert "Traces are not exported. OpenTelemetry says: " in caplog.messages[-1]
    book.take(packed(RUN, record()))
    book.flush()
    assert stored() == [("one", "ok")]


def test_a_span_that_cannot_be_exported_costs_itself_alone(collector, environment, caplog):
    environment(EXPORTER_OTLP_ENDPOINT=collector.url)
    book = SpanBook()
    for one in (record("bad", attributes="[1]"), record("good")):
        book.take(packed(RUN, one))
    book.flush()
    book.give_up()
    assert set(collector.spans) == {"good"}
    assert f"A span of run {RUN} could not be exported." in caplog.messages
    assert len(stored()) == 2
