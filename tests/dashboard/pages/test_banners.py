import pytest
from django.core.cache import cache

from dashboard.pages import banners
from runs import lifecycle
from tests.support.rows import make_queue, make_session, make_task, queued_run

pytestmark = pytest.mark.django_db


def told():
    cache.clear()
    return [banner.text for banner in banners.shown()]


def test_nothing_is_said_where_all_is_well():
    make_session()
    queued_run()
    assert told() == []


def test_runs_wait_and_no_cluster_is_there(viewer):
    assert told() == []
    queued_run()
    assert told()[0].startswith("No cluster is connected: nothing starts.")
    cache.clear()
    assert "No cluster is connected" in viewer.get("/queues").text


def test_paused_queues_by_whom_and_why(viewer):
    make_session()
    for name in "abcd":
        make_queue(name)
    lifecycle.pause("a", actor="user:ada", reason="<b>deploy</b>")
    assert told() == ["Queue a is paused by ada: <b>deploy</b>"]
    cache.clear()
    assert "&lt;b&gt;deploy" in viewer.get("/").text
    for name in "bcd":
        lifecycle.pause(name, actor="user:bob")
    assert told() == ["Queues d, c, b and 1 more are paused by bob"]
    lifecycle.pause_all(actor="key:ci", reason="")
    make_queue("e")
    lifecycle.resume_all(actor="key:ci")
    make_queue("f")
    lifecycle.pause_all(actor="key:ci", reason="storm")
    assert told() == ["All queues are paused by key ci: storm"]


def test_paused_tasks_by_whom_and_why(viewer):
    make_session()
    for name in ("send", "resize"):
        make_task(name)
    lifecycle.pause_task("send", actor="user:ada", reason="<b>bad deploy</b>")
    assert told() == ["Task send is paused by ada: <b>bad deploy</b>"]
    cache.clear()
    page = viewer.get("/").text
    assert "&lt;b&gt;bad deploy" in page
    assert "Paused" in page
    lifecycle.pause_task("resize", actor="")
    assert told() == ["Tasks resize, send are paused"]
    lifecycle.resume_task("send", actor="")
    lifecycle.resume_task("resize", actor="")
    assert told() == []


def test_a_slow_list_is_told_of_for_a_while(viewer):
    make_session()
    cache.clear()
    banners.was_slow()
    assert "The database is slow" in viewer.get("/queues").text


def test_the_icon_of_a_page_says_that_something_is_wrong(viewer):
    cache.clear()
    assert 'href="/static/dashboard/favicon.svg"' in viewer.get("/runs").text
    queued_run()
    cache.clear()
    assert 'href="/static/dashboard/favicon-bad.svg"' in viewer.get("/runs").text


def test_answers_to_an_open_tab_say_it_too(viewer):
    script = {"headers": {"HX-Request": "true"}}
    cache.clear()
    assert viewer.get("/", **script)["X-Trackside-State"] == "well"
    queued_run()
    cache.clear()
    assert viewer.get("/", **script)["X-Trackside-State"] == "bad"
