import json

import pytest
from django.utils import timezone

from tests.support.past import past_run
from tests.support.rows import completed_run, failed_run, make_task, queued_run
from tests.support.schedules import schedule

pytestmark = pytest.mark.django_db


def test_explains_the_first_steps_without_tasks(viewer):
    assert b"No task yet" in viewer.get("/").content


def test_counts_what_runs_and_what_fails(viewer):
    completed_run()
    failed_run()
    queued_run()
    page = viewer.get("/").content.decode()
    assert "50%" in page
    assert 'aria-label="1 completed, 1 failed in 24 hours; most in one hour 2"' in page


def test_shows_why_a_task_is_broken(viewer):
    make_task("bad", broken=True, error="ImportError: <nowhere>")
    page = viewer.get("/").content.decode()
    assert "ImportError: &lt;nowhere&gt;" in page


def test_finds_and_sorts(viewer):
    make_task("alpha")
    failed_run("beta")
    assert b"alpha" not in viewer.get("/?q=bet").content
    names = [row.task.id for row in viewer.get("/?sort=failing").context["rows"]]
    assert names == ["beta", "alpha"]
    assert viewer.get("/?sort=busiest").context["rows"][0].task.id == "beta"


def test_shows_one_kind_of_tasks(viewer):
    make_task("hook", webhook_path="hook")
    make_task("nightly")
    make_task("plain")
    schedule(task_id="nightly")
    for kind, name in (("webhook", "hook"), ("scheduled", "nightly"), ("called", "plain")):
        rows = viewer.get(f"/?kind={kind}").context["rows"]
        assert [row.task.id for row in rows] == [name]
    assert len(viewer.get("/?kind=nonsense").context["rows"]) == 3


def test_shows_how_long_runs_took(viewer):
    past_run(timezone.now(), took=3)
    make_task("hello")
    row = viewer.get("/").context["rows"][0]
    assert 2 <= row.day.p50 <= row.day.p95 <= 5


def test_an_unchanged_board_is_not_sent_again(viewer):
    queued_run()
    first = viewer.get("/").context["token"]
    again = viewer.get("/", {"v": first}, headers={"HX-Request": "true"})
    assert (again.status_code, again.content) == (204, b"")
    queued_run()
    changed = viewer.get("/", {"v": first}, headers={"HX-Request": "true"})
    assert changed.content.startswith(b'\n<div id="board">')


def test_needs_few_queries_however_many_tasks(viewer, few_reads):
    for number in range(12):
        make_task(f"task-{number}")
    with few_reads(16):
        viewer.get("/")
    with few_reads(12):  # rates and bars are remembered for a while
        viewer.get("/")


def test_hostile_names_are_inert(viewer):
    make_task("<script>alert(1)</script>", description="<img src=x onerror=alert(1)>")
    page = viewer.get("/").content.decode()
    assert "<script>alert" not in page
    assert "<img" not in page
    assert json.dumps("<script>alert")[1:-1] not in page
