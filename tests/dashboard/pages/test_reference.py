"""The API's reference page."""

import re

import httpx
import pytest

from dashboard.openapi import served
from dashboard.pages.reference_examples import PYTHON
from dashboard.templatetags.trackside import coded
from trackside import ApiError, BatchItem, Client


@pytest.fixture
def page(admin_client):
    return admin_client.get("/help/api").content.decode()


def test_has_every_operation_with_its_addresses(page):
    for route in served.known():
        assert f"<code>{route.path}</code>" in page, route.path
        if not route.twin:
            assert f'id="{route.name}"' in page


def test_every_link_on_it_leads_somewhere(page):
    places = set(re.findall(r'id="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= places


def test_says_what_an_operation_takes_and_answers(page):
    start = page.index('id="trigger"')
    part = page[start : page.index("</section>", start)]
    for words in (
        "task_id",
        "#schema-Trigger",
        "422",
        "curl",
        "$TRACKSIDE_KEY",
        "client.tasks.trigger",
    ):
        assert words in part


def test_needs_nothing_from_elsewhere(page):
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
    assert "style=" not in page
    assert not re.findall(r"<script(?! src| id=\"bindings\")", page)


def test_is_for_people_who_are_logged_in(client, db):
    assert client.get("/help/api").status_code == 302


@pytest.mark.once
@pytest.mark.parametrize("name", sorted(PYTHON))
def test_examples_in_python_are_what_the_client_does(name):
    """Each asks the operation it stands beside; what is answered does not matter."""
    [route] = [one for one in served.known() if one.name == name]
    asked = []

    def answer(request):
        asked.append((request.method, request.url.path))
        if request.url.path == "/api/v3/batches" and name == "batch_items":
            return httpx.Response(200, json={"id": "batch_1", "runCount": 1, "isCached": False})
        return httpx.Response(400, json={"error": "no"})

    client = Client("http://far", "key", transport=httpx.MockTransport(answer))
    scope = {"client": client, "BatchItem": BatchItem}
    code = PYTHON[name]
    with pytest.raises(ApiError):
        exec(code if code.startswith(("for", "run =")) else f"list({code} or ())", scope)
    method, path = asked[-1]
    pattern = "[^/]+".join(map(re.escape, re.split(r"{[^}]+}", route.path)))
    assert method == route.operation.method
    assert re.fullmatch(pattern, path), (path, route.path)


@pytest.mark.once
def test_words_between_backticks_are_code():
    assert coded("a `<b>` c") == "a <code>&lt;b&gt;</code> c"
