import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dashboard.pages import columns
from dashboard.pages.run_query import RunQuery
from runs import lifecycle
from tests.support.rows import completed_run, queued_run

pytestmark = pytest.mark.django_db


def cells(page, heading):
    found = re.findall(
        rf'<td data-label="{re.escape(heading)}" class="clip added"[^>]*>(.*?)</td>', page.text
    )
    return [text.strip() for text in found]


def test_the_machine_is_a_column_for_who_wants_it(viewer):
    queued_run(machine="medium-1x")
    assert not cells(viewer.get("/runs"), "Machine")
    page = viewer.get("/runs?col=machine")
    assert cells(page, "Machine") == ["medium-1x"]
    assert ">Machine</th>" in page.text


def test_places_in_payload_metadata_and_output_are_columns(viewer):
    completed_run(
        payload='{"items": [{"sku": "<b>"}], "n": {"a": 1}}', output="[3]", metadata='{"done": 0.5}'
    )
    queued_run(payload=None)
    names = "payload.items[0].sku,payload.n,metadata.done,output[0]"
    page = viewer.get("/runs", {"col": names})
    assert cells(page, "payload.items[0].sku") == ["–", "&lt;b&gt;"]
    assert cells(page, "payload.n") == ["–", "{&quot;a&quot;: 1}"]
    assert cells(page, "metadata.done") == ["–", "0.5"]
    assert cells(page, "output[0]") == ["–", "3"]


def test_large_documents_are_read_for_such_a_list_alone_and_in_part(viewer, monkeypatch):
    monkeypatch.setattr(columns, "DOCUMENT", 20)
    queued_run(payload='{"n": "%s"}' % ("x" * 100))
    with CaptureQueriesContext(connection) as captured:
        viewer.get("/runs")
    assert not any('"payload"' in query["sql"] for query in captured.captured_queries)
    assert cells(viewer.get("/runs?col=payload.n"), "payload.n") == ["too large"]


def test_columns_stay_while_one_looks_around(viewer):
    run = queued_run()
    asked = {"task": "hello", "col": ["machine", "metadata.done"]}
    assert "col=machine&amp;col=metadata.done" in viewer.get("/runs", asked).text
    lifecycle.update_metadata(
        run.pk, [{"type": "set", "key": "done", "value": 7}], actor="user:ada"
    )
    page = viewer.get("/runs/live", asked | {"have": f"{run.pk}:old"})
    assert cells(page, "metadata.done") == ["7"]


@pytest.mark.parametrize(
    "name", ["error", "payload", "payload.", "output[x]", "metadata" + ".a" * 60]
)
def test_what_is_no_column_is_left_out(name):
    assert columns.parsed([name, "machine", "machine"]) == (columns.Column("machine", "machine"),)
    assert not RunQuery(shown=columns.parsed(["machine"])).is_narrowed


def headings(page):
    return re.findall(r'<th scope="col"[^>]*>([A-Z][a-z.]+)</th>', page.text)


def test_columns_are_chosen_and_ordered_by_links(viewer):
    queued_run()
    page = viewer.get("/runs?cols=duration,task,payload.n,gone")
    assert headings(page)[:3] == ["Status", "Duration", "Task"]
    assert "cols=status%2Ctask%2Cduration%2Cpayload.n" in page.text
    assert "cols=status%2Cduration%2Ctask%2Cpayload.n%2Cqueue" in page.text
    assert 'cols=status%2Cduration%2Ctask#columns"' in page.text


def test_the_usual_columns_have_a_short_address():
    assert RunQuery(shown=columns.arranged(columns.DEFAULT)).encode() == ""
    assert RunQuery(shown=columns.arranged([*columns.DEFAULT, "machine"])).encode() == "col=machine"
