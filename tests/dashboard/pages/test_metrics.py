from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from dashboard.pages import metrics, timeaxis
from runs.models import Depth
from runs.reads import samples
from runs.reads.deadline import TooSlow
from tests.support.past import past_run
from tests.support.rows import make_session

pytestmark = pytest.mark.django_db


def ago(**length):
    return timezone.now() - timedelta(**length)


def test_says_that_there_is_nothing(viewer):
    page = viewer.get("/metrics").text
    assert "Nothing happened in this time." in page
    assert "Nothing was measured in this time." in page
    assert 'class="legend"' not in page
    assert "style=" not in page


def test_shows_what_runs_came_to(viewer):
    for minutes in (1, 20, 40):
        past_run(ago(minutes=minutes))
    past_run(ago(minutes=3), "FAILED", task_id="mail", took=20)
    found = viewer.get("/metrics?period=1h")
    board = found.context["board"]
    assert (board.whole.completed, board.whole.bad, board.whole.failure_rate) == (3, 1, 0.25)
    assert [one.task_id for one in board.failing] == ["mail"]
    assert board.slowest[0].task_id == "mail"
    assert "4 of 4" in board.sampled.summary
    assert found.text.count("View as table") >= 5


def test_one_task_alone(viewer):
    past_run(ago(minutes=3), "FAILED", task_id="mail")
    past_run(ago(minutes=3))
    board = viewer.get("/metrics?task=mail").context["board"]
    assert (board.whole.bad, board.whole.completed) == (1, 0)
    assert viewer.get("/metrics?task=%00%3Cb%3E&period=x").status_code == 200


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_every_window_has_its_bars(viewer, zone):
    past_run(ago(minutes=1))
    for period in timeaxis.PERIODS:
        found = viewer.get(f"/metrics?period={period}&tz={zone}")
        assert found.context["board"].whole.completed == 1


def test_shows_how_full_the_clusters_are(viewer):
    make_session()
    minute = timezone.now().replace(second=0, microsecond=0)
    Depth.objects.create(queue="", at=minute, queued=7, running=3, room=4)
    page = viewer.get("/metrics?period=1h").text
    assert "Running 3 at the end, at most 3; Queued 7 at the end" in page


def test_samples_many_runs_evenly(monkeypatch):
    monkeypatch.setattr(samples, "MOST", 10)
    monkeypatch.setattr(samples, "STRETCHES", 5)
    monkeypatch.setattr(samples, "EACH", 2)
    for minutes in range(1, 60, 2):
        past_run(ago(minutes=minutes))
    found = samples.spread(ago(minutes=60), timezone.now())
    assert len(found) == 10
    assert found[0].started_at < ago(minutes=50) < ago(minutes=15) < found[-1].started_at


def test_says_when_the_database_is_too_slow(viewer, monkeypatch):
    def slow(*args):
        raise TooSlow(2.0)

    monkeypatch.setattr(metrics, "_board", slow)
    assert "more than 2 s" in viewer.get("/metrics").text


def test_few_queries_and_none_while_it_is_remembered(viewer, few_reads):
    past_run(ago(minutes=3))
    with few_reads(14):
        token = viewer.get("/metrics").context["token"]
    with few_reads(5):
        again = viewer.get(f"/metrics?v={token}", headers={"HX-Request": "true"})
    assert again.status_code == 204
    cache.clear()
