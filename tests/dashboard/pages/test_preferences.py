import re

import pytest

from tests.support.rows import queued_run

pytestmark = pytest.mark.django_db


def test_remembers_colours_zone_and_keys(viewer):
    fields = {"theme": "dark", "tz": "Asia/Tokyo", "keys": "off", "next": "/queues?x=1"}
    response = viewer.post("/preferences", fields)
    assert (response.status_code, response["Location"]) == (303, "/queues?x=1")
    page = viewer.get("/queues").content.decode()
    assert '<html lang="en" data-theme="dark">' in page
    assert "Asia/Tokyo (UTC+9)" in page
    assert "data-keys" not in page


def test_ignores_nonsense(viewer):
    fields = {"theme": "x", "tz": "Mars/Base", "keys": "?", "next": "https://evil.example/"}
    response = viewer.post("/preferences", fields)
    assert response["Location"] == "/"
    assert not response.cookies.keys() & {"trackside_theme", "trackside_tz", "trackside_keys"}


def test_everything_is_on_one_page(viewer):
    fields = {
        "clock": "12", "relative": "off", "density": "compact", "rows": "10", "nav": "narrow",
        "motion": "off", "keys": "alt", "hues": "off", "next": "/me",
    }  # fmt: skip
    page = viewer.post("/preferences", fields, follow=True).text
    assert "Saved for this browser." in page
    assert '<body class="env-dev is-compact nav-narrow motion-off hues-off" data-keys="alt"' in page
    assert page.count("checked") == 9 + 1
    run = queued_run()
    text = viewer.get("/runs").text
    assert re.search(r">1?\d:\d\d:\d\d [AP]M</time>", text)
    assert "data-ago" not in text
    assert viewer.get("/runs").context["query"].size == 10
    assert viewer.get("/runs?rows=25").context["query"].size == 25
    assert run.id in text


def test_a_zone_that_is_none_leaves_the_old_one(viewer):
    viewer.post("/preferences", {"tz": "Asia/Tokyo", "next": "/me"})
    page = viewer.post("/preferences", {"tz": "Mars/Base", "next": "/me"}, follow=True).text
    assert "There is no time zone “Mars/Base”" in page
    assert "Asia/Tokyo (UTC+9)" in page


def test_a_link_brings_its_zone(viewer):
    viewer.post("/preferences", {"tz": "Asia/Tokyo"})
    page = viewer.get("/queues?tz=America/New_York").text
    assert 'class="zone of-link"' in page
    assert "America/New_York (UTC-" in page


def test_is_a_form_only(viewer):
    assert viewer.get("/preferences").status_code == 405
