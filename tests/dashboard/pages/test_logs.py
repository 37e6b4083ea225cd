import re
from datetime import timedelta

import pytest
from django.utils import timezone

from runs.models import LogLine
from runs.reads import logsearch
from runs.reads.logsearch import LogQuery
from tests.dashboard.pages.conftest import client_of
from tests.support.rows import make_user, queued_run

pytestmark = pytest.mark.django_db


def write(run, *messages, level=20, minutes=1):
    at = timezone.now() - timedelta(minutes=minutes)
    return [
        LogLine.objects.create(
            run_id=run.pk, attempt=1, level=level, logger="root", message=text, at=at
        )
        for text in messages
    ]


def texts(found):
    return [hit.line.message for hit in found.context["hits"]]


def test_says_that_there_is_nothing(viewer):
    page = viewer.get("/logs").text
    assert "No line was written" in page
    assert "Search 6 hours" in page


def test_finds_lines_of_all_runs_newest_first(viewer):
    mail, hello = queued_run("mail"), queued_run("hello")
    write(mail, "sent to ada", "bounced from BOB")
    write(hello, "bob was here", minutes=0)
    write(hello, "bob was here long ago", minutes=200)
    assert texts(viewer.get("/logs?q=bob")) == ["bob was here", "bounced from BOB"]
    assert texts(viewer.get("/logs?q=bob&task=mail")) == ["bounced from BOB"]
    assert len(texts(viewer.get("/logs?q=bob&period=6h"))) == 3
    assert texts(viewer.get("/logs?q=%25")) == []


def test_shows_the_second_of_other_days_and_no_codes_of_terminals(viewer):
    write(queued_run(), "\x1b[32mread\x1b[0m row 1", minutes=3 * 24 * 60)
    page = viewer.get("/logs?period=7d")
    assert texts(page) == ["read row 1"]
    assert re.search(r">\d+ \w{3} \d\d:\d\d:\d\d</time>", page.text)


def test_filters_by_level(viewer):
    run = queued_run()
    write(run, "fine")
    write(run, "broken", level=40)
    found = viewer.get("/logs?level=40")
    assert texts(found) == ["broken"]
    assert "1 error" in found.text
    assert f"/runs/{run.pk}?tab=logs" in found.text


def test_shows_the_lines_around_a_hit(viewer):
    lines = write(queued_run(), *(f"step {number}" for number in range(20)))
    write(queued_run(), "another run")
    page = viewer.get(f"/logs?q=step 10&line={lines[10].pk}").text
    assert "step 5" in page
    assert "step 15" in page
    assert "step 4<" not in page
    assert "another run" not in page


def test_goes_on_with_older_lines(viewer, monkeypatch):
    monkeypatch.setattr(logsearch, "SHOWN", 2)
    write(queued_run(), "a", "b", "c")
    first = viewer.get("/logs")
    assert texts(first) == ["c", "b"]
    assert texts(viewer.get("/logs" + first.context["older"])) == ["a"]


def test_looks_through_many_lines_piece_by_piece(monkeypatch):
    monkeypatch.setattr(logsearch, "PIECE", 2)
    write(queued_run(), *(f"line {number}" for number in range(9)))
    now = timezone.now()
    query = LogQuery(start=now - timedelta(hours=1), end=now, text="line 1")
    found = logsearch.search(query, 5)
    assert [line.message for line in found.lines] == ["line 1"]
    assert found.is_complete


def test_tells_how_far_it_came_when_the_time_is_up(viewer, monkeypatch):
    write(queued_run(), "a", "b")
    monkeypatch.setattr("dashboard.pages.logs.PATIENCE", 0.0)
    found = viewer.get("/logs?q=zebra")
    assert found.status_code == 200
    assert "Stopped after" in found.text
    assert "go on from there" in found.text


def test_finds_the_window_among_ids():
    old = write(queued_run(), "old", minutes=300)[0]
    new = write(queued_run(), "new", minutes=1)[0]
    now = timezone.now()
    hours = [now - timedelta(hours=count) for count in (1, 9, 0)]
    assert logsearch.ids_at(*hours) == (new.pk, old.pk, new.pk + 1)


def test_shows_nothing_to_those_who_may_not_read(db):
    write(queued_run(), "a secret")
    page = client_of(make_user("eve", "view_run")).get("/logs?q=secret").text
    assert "a secret" not in page
    assert "may not see payloads" in page


@pytest.mark.parametrize(
    "query", ["period=x", "level=x", "before=x", "before=99999999999999999999", "line=x", "q=%00"]
)
def test_words_that_mean_nothing_are_dropped(viewer, query):
    assert viewer.get(f"/logs?{query}").status_code == 200
