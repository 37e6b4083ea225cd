import json

import pytest

from dashboard.pages import inferred, schema_help
from tests.support.rows import make_task, queued_run

pytestmark = pytest.mark.django_db


def told(*values):
    schema = json.dumps(inferred.shape(list(values)))
    return [(field.path, field.kind, field.required) for field in schema_help.fields(schema)]


def test_members_of_all_payloads_are_required_and_kinds_are_alternatives():
    assert told(
        {"id": 1, "to": {"mail": "a"}, "rows": [{"n": 1}]},
        {"id": 2.5, "to": None, "rows": [], "note": True},
    ) == [
        ("id", "number", True),
        ("to", "object or null", True),
        ("rows", "list of object", True),
        ("note", "boolean", False),
    ]


def test_what_is_no_object_has_no_members():
    assert told([1, 2]) == told("text") == told(None) == []


def test_depth_and_width_are_bounded():
    deep = "leaf"
    for _ in range(50):
        deep = {"in": deep}
    assert len(told(deep)) == inferred.MAX_DEPTH
    assert len(told({f"m{n}": n for n in range(500)})) == inferred.MAX_MEMBERS


def test_the_test_page_shows_what_recent_payloads_had(viewer):
    make_task()
    page = viewer.get("/test/hello").content.decode()
    assert "any JSON will do" in page
    for payload in ('{"order": 7, "secret": "s3cr3t"}', None, "x" * (inferred.LONGEST + 1)):
        queued_run(payload=payload and (payload if payload[0] == "{" else json.dumps(payload)))
    response = viewer.get("/test/hello")
    page = response.content.decode().partition("<h2>Payload</h2>")[2].partition("</section>")[0]
    assert response.context["seen_in"] == 1
    assert "Its last payload had:" in page
    assert "<code>order</code>" in page
    assert "s3cr3t" not in page
    assert "JSON Schema" not in page


def test_a_declared_schema_is_not_inferred(viewer):
    make_task(schema='{"properties": {"declared": {}}}')
    queued_run(payload='{"order": 7}')
    response = viewer.get("/test/hello")
    assert response.context["seen_in"] == 0
    assert [field.path for field in response.context["fields"]] == ["declared"]
