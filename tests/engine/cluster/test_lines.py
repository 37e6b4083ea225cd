"""Log lines while the database is away."""

import json
import logging

import pytest
from django.db import OperationalError

from engine.cluster import lines
from engine.cluster.lines import LineBook
from runs.models import LogLine

pytestmark = pytest.mark.django_db


@pytest.fixture
def book(monkeypatch):
    """A book with room for two lines."""
    monkeypatch.setattr(lines, "MOST", 2)
    return LineBook()


def sent(*texts, run="run_a", attempt=1):
    return [json.dumps([run, attempt, 20, "root", text, 1.0]).encode() for text in texts]


def stored(run="run_a"):
    return list(LogLine.objects.filter(run_id=run).values_list("level", "logger", "message"))


def away(*_):
    raise OperationalError("no server")


def test_what_is_lost_is_told_once_it_is_back(book, monkeypatch, caplog):
    book.take(sent("one", "two", "three", "four"))
    book.take(sent("five", run="run_b", attempt=2))
    with monkeypatch.context() as outage:
        outage.setattr(LogLine.objects, "bulk_create", away)
        with pytest.raises(OperationalError):
            book.flush()
    assert not caplog.messages
    book.flush()
    assert [message for *_, message in stored()[:2]] == ["one", "two"]
    said = "2 log lines were lost while the database was away."
    assert stored()[2:] == [(logging.WARNING, "trackside", said)]
    assert "1 log line was lost" in LogLine.objects.get(run_id="run_b", attempt=2).message
    assert caplog.messages == ["3 log lines were lost while the database was away."]


def test_what_is_lost_is_told_only_once(book):
    book.take(sent("one", "two", "three"))
    for _ in range(2):
        book.flush()
    assert len(stored()) == 3


def test_a_loss_that_cannot_be_stored_yet_is_not_forgotten(book, monkeypatch):
    book.take(sent("one", "two", "three"))
    kept = LogLine.objects.bulk_create
    answers = iter([kept, away])
    with monkeypatch.context() as outage:
        outage.setattr(LogLine.objects, "bulk_create", lambda rows: next(answers)(rows))
        with pytest.raises(OperationalError):
            book.flush()
    assert len(stored()) == 2
    book.flush()
    assert len(stored()) == 3


def test_a_book_that_closes_says_what_it_could_not_store(book, caplog):
    book.take(sent("one", "two", "three"))
    book.give_up()
    assert caplog.messages == ["3 log lines were lost while the database was away."]
    assert caplog.records[0].levelno == logging.ERROR
