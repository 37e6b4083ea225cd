"""Lines of the log as JSON and as text: what they say, and what they never say."""

import json
import logging
import sys

import pytest

from engine import logcontext
from engine.execution.aloud import aloud
from engine.sdk.context import executing
from runs import logformat
from runs.logformat import JsonFormatter, TextFormatter
from tests.engine.support import make_context

KEY = "tr_prod_" + "a1B2" * 10


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch):
    monkeypatch.setattr(logformat, "sources", [])
    logformat.request.set(None)


def record(message="The %s is slow.", *args, **facts):
    made = logging.makeLogRecord(
        {
            "msg": message,
            "args": args or ("database",),
            "name": "django.request",
            "levelname": "WARNING",
        }
    )
    made.created = 1_893_456_000.25
    made.__dict__.update(facts)
    return made


def told(*args, **facts):
    line = JsonFormatter().format(record(*args, **facts))
    assert "\n" not in line
    return json.loads(line)


def test_a_line_is_an_object():
    found = told()
    assert found.pop("pid") > 0
    assert found.pop("host")
    assert found == {
        "time": "2030-01-01T00:00:00.250Z",
        "level": "WARNING",
        "logger": "django.request",
        "message": "The database is slow.",
    }


def test_errors_and_statuses_are_told_and_nothing_else_beside():
    try:
        raise ValueError("no such order\npassword=hunter2")
    except ValueError as error:
        found = told(
            exc_info=(ValueError, error, None), status_code=500, request=object(), payload="x"
        )
    assert "ValueError: no such order" in found["error"]
    assert "hunter2" not in found["error"]
    assert found["status_code"] == 500
    assert not {"request", "payload", "args"} & found.keys()


@pytest.mark.parametrize(
    ("message", "gone"),
    [
        ("called with Authorization: Bearer abc.def", "abc.def"),
        (f"key {KEY} is unknown", KEY),
        ("password=hunter2&a=1", "hunter2"),
        (
            "Not Found: /api/v1/waitpoints/tokens/token_1/callback/0123456789abcdef01",
            "0123456789abcdef01",
        ),
        ("opened /first-login/1/abcdef-0123456789abcdef/", "abcdef-0123456789abcdef"),
        ("connecting to postgres://app:s3cret@db/app", "s3cret"),
    ],
)
def test_secrets_are_masked_in_both_forms(message, gone):
    assert gone not in told("%s", message)["message"]
    assert gone not in TextFormatter("{message}", style="{").format(record("%s", message))


def test_a_line_that_cannot_be_formatted_still_comes_out(monkeypatch):
    def fails():
        raise ValueError

    monkeypatch.setattr(logformat, "sources", [fails])
    assert "could not be formatted" in told("%d", "no number")["message"]
    assert len(told("%s", "x" * 100_000)["message"]) == logformat.LONGEST


def test_whose_run_it_is(monkeypatch):
    monkeypatch.setattr(logformat, "sources", [logcontext.facts])
    with executing(make_context(attempt=2)):
        found = told()
    assert (found["run_id"], found["task_id"], found["attempt"]) == ("run_1", "a-task", 2)
    assert len(found["trace_id"]) == 32
    assert "run_id" not in told()


def test_which_request_it_is():
    asked = logformat.Request("abc")
    token = logformat.request.set(asked)
    try:
        assert told()["request_id"] == "abc"
    finally:
        logformat.request.reset(token)
    assert "request_id" not in told()


def test_lines_of_runs_on_the_console_are_json_too(monkeypatch, capfd):
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    monkeypatch.setattr("sys.__stdout__", sys.stdout)
    aloud(logging.ERROR, "shop", "no stock")
    line = json.loads(capfd.readouterr().out)
    assert (line["level"], line["logger"], line["message"]) == ("ERROR", "shop", "no stock")
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    aloud(logging.ERROR, "shop", "no stock")
    assert capfd.readouterr().out == "- ERROR shop: no stock\n"
