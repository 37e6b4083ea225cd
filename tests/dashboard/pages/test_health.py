import pytest
from django.core.cache import cache
from django.test import Client

from dashboard.pages import banners
from runs.health.points import BAD, NOTE, OK, WARN, Point
from tests.support.rows import make_session

pytestmark = pytest.mark.django_db
POINTS = [
    Point("a", "Clocks", OK, "Agree."),
    Point("b", "Commits", BAD, "synchronous_commit is <off>.", "Switch it on."),
    Point("c", "Clusters", BAD, "None.", "Start one.", "workers", is_loud=False),
    Point("d", "SQLite", NOTE, "Old.", "Renew it."),
    Point("e", "Dead rows", WARN, "Many.", "Run VACUUM."),
]


def test_says_what_where_and_what_to_do(viewer, monkeypatch):
    monkeypatch.setattr("dashboard.pages.health.health.groups", lambda: {"Database": POINTS})
    page = viewer.get("/settings/health")
    assert page.status_code == 200
    assert "synchronous_commit is &lt;off&gt;." in page.text
    assert page.text.index("Commits") < page.text.index("Dead rows") < page.text.index("Clocks")
    assert "2 bad" in page.text
    assert "1 to look at" in page.text
    assert '<a href="/workers">Workers</a>' in page.text
    assert 'href="/settings/health" aria-current="page"' in page.text


def test_looks_at_what_there_is(viewer):
    make_session()
    page = viewer.get("/settings/health")
    for group in ("Database", "Clusters", "Upkeep"):
        assert f'<h2 id="{group.lower()}">{group}</h2>' in page.text


def test_strangers_log_in_first():
    assert Client().get("/settings/health").status_code == 302


def test_what_is_bad_is_on_every_page(viewer, monkeypatch):
    monkeypatch.setattr("dashboard.pages.banners.health.points", lambda: POINTS)
    make_session()
    assert [one.text for one in banners.shown()] == ["Commits: synchronous_commit is <off>."]
    cache.clear()
    assert "Commits: synchronous_commit is &lt;off&gt;." in viewer.get("/queues").text
