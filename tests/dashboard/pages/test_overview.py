import json

import pytest

from tests.support.rows import completed_run, failed_run, make_task, queued_run

pytestmark = pytest.mark.django_db


def test_explains_the_first_steps_without_tasks(viewer):
    assert b"No task yet" in viewer.get("/").content


def test_counts_what_runs_and_what_fails(viewer):
    completed_run()
    failed_run()
    queued_run()
    page = viewer.get("/").content.decode()
    assert "50%" in page
    assert 'aria-label="1 completed, 1 failed in 24 hours; busiest hour 3"' in page


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
    with few_reads(13):
        viewer.get("/")


def test_hostile_names_are_inert(viewer):
    make_task("<script>alert(1)</script>", description="<img src=x onerror=alert(1)>")
    page = viewer.get("/").content.decode()
    assert "<script>alert" not in page
    assert "<img" not in page
    assert json.dumps("<script>alert")[1:-1] not in page
