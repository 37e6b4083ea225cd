"""What task authors declare as worth knowing stands in the list and at the head of a run."""

import json

import pytest

from runs import keyfacts
from runs.errors import InvalidOption
from tests.dashboard.pages.conftest import client_of
from tests.support.rows import completed_run, make_task, make_user, queued_run

pytestmark = pytest.mark.django_db
FACTS = ["payload.order.id", "output.total", "payload.name"]


@pytest.fixture
def declared():
    make_task(config=json.dumps({"key_facts": FACTS}))


def test_the_list_shows_the_first_two(viewer, declared):
    completed_run(payload='{"order": {"id": 12345678901234567890}}', output='{"total": 1.50}')
    queued_run("other", payload='{"order": {"id": 7}}')
    page = viewer.get("/runs").text
    assert '<span class="dim">id</span> 12345678901234567890</span>' in page
    assert '<span class="dim">total</span> 1.50</span>' in page
    assert page.count('class="fact"') == 2


def test_the_head_leads_to_runs_with_the_same(viewer, declared):
    run = queued_run(payload='{"order": {"id": 7}, "name": "<Ann B>"}')
    page = viewer.get(f"/runs/{run.id}").text
    assert 'href="/runs?q=payload.order.id%3A7"' in page
    assert 'href="/runs?q=payload.name%3A%22%3CAnn+B%3E%22"' in page
    assert "&lt;Ann B&gt;" in page
    assert len(viewer.get("/runs?q=payload.order.id%3A7").context["rows"]) == 1


def test_who_may_see_no_payload_sees_no_facts(declared):
    run = queued_run(payload='{"order": {"id": 7}}')
    client = client_of(make_user("vic", "view_run"))
    for address in ("/runs", f"/runs/{run.id}"):
        assert 'class="fact"' not in client.get(address).text


def test_what_is_redacted_is_masked(viewer, declared, settings):
    settings.TRACKSIDE = {**settings.TRACKSIDE, "REDACT": {"keys": ["name"]}}
    run = queued_run(payload='{"name": "secret-1"}')
    assert "secret-1" not in viewer.get(f"/runs/{run.id}").text


@pytest.mark.parametrize(
    "value",
    [7, "order", "error.x", ["payload.a", 1], "payload.a b", [f"payload.{n}" for n in range(5)]],
)
def test_what_is_no_place_is_refused(value):
    with pytest.raises(InvalidOption, match="key_facts"):
        keyfacts.checked(value)
