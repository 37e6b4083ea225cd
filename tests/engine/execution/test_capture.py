# ruff: noqa: LOG015  printing and the root logger are what is tested

import io
import logging
import sys
import threading
from contextlib import contextmanager

import pytest

from engine import logger
from engine.execution.capture import MAX_MESSAGE, Capture
from engine.execution.routing import routed
from engine.sdk.context import executing
from tests.engine.support import Sink, make_context, routes


@pytest.fixture
def sink():
    return Sink()


def captured(sink, limit=10_000):
    return Capture(sink, limit)


def test_prints_become_lines(sink):
    with captured(sink):
        print("one\ntwo")
        print("three", end="")
        print("oops", file=sys.stderr)
    assert sink.lines == [
        (20, "stdout", "one"),
        (20, "stdout", "two"),
        (30, "stderr", "oops"),
        (20, "stdout", "three"),
    ]


@pytest.mark.parametrize("shared", [False, True])
def test_the_lines_may_go_to_the_clusters_output_too(sink, settings, monkeypatch, shared):
    settings.TRACKSIDE = {"CONSOLE_LOGGING": True}
    monkeypatch.setattr(sys, "__stdout__", output := io.StringIO())
    with executing(make_context()), capturing(sink, shared):
        logger.warning("careful")
    assert output.getvalue() == "run_1 (a-task) WARNING trackside.task: careful\n"
    assert sink.messages == ["careful"]


def test_a_closed_output_does_no_harm(sink, settings, monkeypatch):
    settings.TRACKSIDE = {"CONSOLE_LOGGING": True}
    for output in (None, io.StringIO()):
        monkeypatch.setattr(sys, "__stdout__", output)
        if output is not None:
            output.close()
        with captured(sink):
            print("one")
    assert sink.messages == ["one", "one"]


@pytest.mark.parametrize("shared", [False, True])
def test_prints_may_be_left_alone(sink, settings, monkeypatch, shared):
    settings.TRACKSIDE = {"CAPTURE_CONSOLE": False}
    monkeypatch.setattr(sys, "stdout", output := io.StringIO())
    with capturing(sink, shared):
        print("printed")
        logger.info("logged")
    assert output.getvalue() == "printed\n"
    assert sink.messages == ["logged"]


@contextmanager
def capturing(sink, shared):
    """As a worker does, or as the process that many share."""
    if not shared:
        with captured(sink):
            yield
    else:
        with routes(), routed(sink, 100):
            yield


def test_lines_come_live(sink):
    with captured(sink):
        print("now")
        assert sink.messages == ["now"]


def test_logging_and_the_task_logger_become_lines(sink):
    with captured(sink):
        logging.getLogger("app.mail").info("sent %s", 3)
        logger.debug("close look")
        logger.warn("charged", amount=12.5, to={"id": 1})
    assert sink.lines == [
        (20, "app.mail", "sent 3"),
        (10, "trackside.task", "close look"),
        (30, "trackside.task", 'charged {"amount": 12.5, "to": {"id": 1}}'),
    ]


def test_a_property_may_have_any_name(sink):
    with captured(sink):
        logger.info("told", message="m", level=1, self="s")
    assert sink.messages == ['told {"message": "m", "level": 1, "self": "s"}']


def test_an_exception_is_logged_with_its_traceback(sink):
    with captured(sink):
        try:
            raise ValueError("no")
        except ValueError:
            logging.exception("failed")
    assert "Traceback" in sink.messages[0]
    assert "ValueError: no" in sink.messages[0]


def test_everything_is_put_back(sink):
    root = logging.getLogger()
    before = sys.stdout, sys.stderr, root.handlers[:], root.level
    with captured(sink):
        sys.stdout = io.StringIO()
        root.addHandler(logging.StreamHandler())
        root.setLevel(logging.CRITICAL)
        logging.disable(logging.CRITICAL)
    assert (sys.stdout, sys.stderr, root.handlers, root.level) == before
    assert root.manager.disable == 0


def test_a_stream_kept_for_later_writes_to_the_real_one(sink, monkeypatch):
    monkeypatch.setattr(sys, "stdout", real := io.StringIO())
    with captured(sink):
        kept = sys.stdout
    kept.write("late\n")
    assert sink.lines == []
    assert real.getvalue() == "late\n"


def test_bytes_are_text(sink):
    with captured(sink):
        sys.stdout.buffer.write("é\n".encode() + b"\xff\n")
    assert sink.messages == ["é", "\\xff"]


def test_output_without_newline_is_cut_into_chunks(sink):
    with captured(sink):
        for _ in range(100):
            sys.stdout.write("x" * 1000)
    assert {len(message) for message in sink.messages[:-1]} == {MAX_MESSAGE}
    assert sum(map(len, sink.messages)) == 100_000


def test_progress_bars_do_not_flood(sink):
    with captured(sink):
        for number in range(10_000):
            sys.stdout.write(f"\r{number} %")
        sys.stdout.write("\n")
    assert len(sink.messages) <= 3
    assert sink.messages[-1] == "9999 %"


def test_windows_line_ends_are_line_ends(sink):
    with captured(sink):
        sys.stdout.write("a\r\nb\r\n")
    assert sink.messages == ["a", "b"]


def test_a_long_message_is_marked(sink):
    with captured(sink):
        logging.getLogger("app").info("x" * 1_000_000)
    (message,) = sink.messages
    assert len(message) < MAX_MESSAGE + 100
    assert message.endswith("characters cut]")


def test_unstorable_characters_are_spelled_out(sink):
    with captured(sink):
        print("a\x00b\udc80c")
    assert sink.messages == ["a\\x00b\\udc80c"]


def test_a_flood_is_counted(sink):
    with captured(sink, limit=10):
        for number in range(110):
            print(number)
    assert len(sink.lines) == 11
    assert sink.lines[-1] == (30, "trackside", "100 more log lines were dropped.")


def test_megabytes_are_bounded_too(sink):
    with captured(sink):
        for _ in range(1600):
            sys.stdout.write("x" * 16_383 + "\n")
    assert sum(map(len, sink.messages)) < 10_100_000
    assert "dropped" in sink.messages[-1]


def test_a_handler_that_logs_does_not_hang(sink):
    class Chatty(logging.Handler):
        def emit(self, record):
            if record.name != "chatty":
                logging.getLogger("chatty").info("handling %s", record.name)

    with captured(sink):
        logging.getLogger().addHandler(Chatty())
        logging.getLogger("app").info("one")
    assert sink.messages == ["one", "handling app"]


def test_a_sink_that_prints_or_fails_does_no_harm():
    class Bad:
        def write(self, *_):
            print("inside")
            raise OSError("closed")

    with captured(Bad()):
        print("one")


def test_a_record_that_cannot_be_formatted_is_kept(sink, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with captured(sink):
        logging.getLogger("app").info("%d", "text")
    assert "could not be formatted" in sink.messages[0]


def test_threads_do_not_tear_lines(sink):
    def chatter(name):
        for _ in range(200):
            sys.stdout.write(name * 50 + "\n")

    with captured(sink):
        threads = [threading.Thread(target=chatter, args=[name]) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(sink.messages) == sorted(name * 50 for name in "abcd" for _ in range(200))
