import pytest
from django.utils import timezone

from runs.models import Run
from runs.reads import counts
from runs.reads.counts import Capped, by_status, capped, live_by_task, tiles
from tests.support.rows import completed_run, executing_run, failed_run, queued_run

pytestmark = pytest.mark.django_db


def test_stops_at_its_cap():
    for _ in range(3):
        queued_run()
    assert str(capped(Run.objects.all(), cap=2)) == "2+"
    assert str(capped(Run.objects.all(), cap=3)) == "3"
    assert not Capped(0)


def test_tiles_say_what_stands_where():
    failed_run()
    executing_run()
    oldest = queued_run()
    queued_run()
    found = tiles(timezone.now())
    assert (str(found.running), str(found.queued), str(found.failed)) == ("1", "2", "1")
    assert found.oldest_queued == oldest


def test_counts_by_status_and_by_task():
    completed_run("mail")
    executing_run("mail")
    queued_run("report")
    assert by_status(Run.objects.all()) == {"COMPLETED": 1, "EXECUTING": 1, "QUEUED": 1}
    assert live_by_task() == ({"mail": (1, 0), "report": (0, 1)}, False)


def test_of_a_long_backlog_a_part_is_counted(monkeypatch):
    executing_run("mail")
    for _ in range(3):
        queued_run("report")
    monkeypatch.setattr(counts, "LIVE", counts.LIVE.replace("20000", "2"))
    monkeypatch.setattr(counts, "WIDE_CAP", 2)
    assert live_by_task() == ({"mail": (1, 0), "report": (0, 1)}, True)
