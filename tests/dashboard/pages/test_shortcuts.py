import pytest
from django.utils.html import escape

from dashboard.pages.keyboard import SHORTCUTS, bindings

pytestmark = pytest.mark.django_db


def test_shows_every_binding(viewer):
    page = viewer.get("/help/shortcuts").content.decode()
    for shortcut in SHORTCUTS:
        assert f"<dd>{escape(shortcut.does)}</dd>" in page


def test_no_key_is_bound_twice():
    keys = [binding["keys"] for binding in bindings()]
    assert len(keys) == len(set(keys))
