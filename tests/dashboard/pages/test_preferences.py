import pytest

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


def test_is_a_form_only(viewer):
    assert viewer.get("/preferences").status_code == 405
