from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from dashboard.pages import run_strip
from dashboard.pages.run_query import RunQuery
from runs.models import Run
from runs.reads.deadline import TooSlow
from tests.support.rows import completed_run, failed_run, queued_run

pytestmark = pytest.mark.django_db


def told(**asked):
    query, now = RunQuery(**asked), timezone.now()
    found = run_strip.sample(query, now)
    return run_strip.counts(query, found), run_strip.strip(query, found, now)


def test_counts_every_status_whichever_is_chosen():
    failed_run(), failed_run(), completed_run(), queued_run()
    counts, chart = told(status=("FAILED",), period="1h")
    assert [(one.look.word, one.number, one.is_chosen, one.query) for one in counts] == [
        ("Queued", 1, False, "status=QUEUED&period=1h"),
        ("Completed", 1, False, "status=COMPLETED&period=1h"),
        ("Failed", 2, True, "period=1h"),
    ]
    assert [layer.series.label for layer in chart.layers] == ["Failed"]
    assert chart.layers[0].note == "2"


def test_a_bar_is_the_way_to_its_time():
    queued_run()
    _, chart = told(period="1h")
    assert 59 <= len(chart.hits) <= 62
    assert chart.hits[-1].href.startswith("?from=")
    assert "period" not in chart.hits[-1].href


def test_of_very_many_the_newest(monkeypatch):
    monkeypatch.setattr(run_strip, "WIDE_CAP", 2)
    for _ in range(3):
        queued_run()
    found = run_strip.sample(RunQuery(), timezone.now())
    assert found.is_part
    assert len(found.ids) == 2


def test_is_remembered_for_a_moment(django_assert_num_queries, viewer):
    queued_run()
    viewer.get("/runs/counts")
    Run.objects.all().delete()
    assert b"<b>1</b>" in viewer.get("/runs/counts").content
    cache.clear()
    assert b"<b>1</b>" not in viewer.get("/runs/counts").content


def test_says_so_when_counting_takes_too_long(viewer, monkeypatch):
    def slow(*_):
        raise TooSlow(0.5)

    monkeypatch.setattr(run_strip, "sample", slow)
    assert b"Counting took too long" in viewer.get("/runs/counts").content


def test_rows_tell_of_children_and_of_what_is_usual(viewer, monkeypatch):
    parent, failed, done = queued_run(), failed_run("step"), completed_run("step")
    Run.objects.filter(pk__in=[failed.pk, done.pk]).update(parent_id=parent.pk, root_id=parent.pk)
    Run.objects.filter(pk=done.pk).update(started_at=done.finished_at - timedelta(seconds=9))
    monkeypatch.setattr("dashboard.pages.run_rows.usual", lambda tasks, now: {"step": 6.0})
    page = viewer.get("/runs").content.decode()
    said = '2 children: <b class="t-ok">1 ok</b> <b class="t-bad">1 failed</b></a>'
    assert f'<a class="kids" href="/runs?parent={parent.id}">{said}' in page
    assert "95 of 100 runs of this task take 6.0 s at most" in page
    assert '<svg class="t-warn" viewBox="0 0 100 2"' in page
