"""The Logs tab of a run: which lines, where they lead, and what comes after them."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from runs.models import LogLine
from tests.support.rows import completed_run, executing_run

pytestmark = pytest.mark.django_db


def lines(run, count, **facts):
    facts = {"attempt": 1, "level": 20, "logger": "root", "at": timezone.now()} | facts
    LogLine.objects.bulk_create(
        LogLine(**({"run_id": run.id, "message": f"line {n}"} | facts)) for n in range(count)
    )
    return list(LogLine.objects.filter(run_id=run.id).order_by("id").values_list("id", flat=True))


def text(client, run, query="", **headers):
    return client.get(f"/runs/{run.id}?tab=logs{query}", headers=headers).content.decode()


def live(client, run, since):
    address = f"/runs/{run.id}/live?tab=logs&since={since}"
    return client.get(address, headers={"HX-Request": "true"}).content.decode()


def test_a_link_to_a_line_shows_those_around_it(viewer):
    run = completed_run()
    ids = lines(run, 900)
    page = text(viewer, run, f"&line={ids[700]}")
    assert re.search(rf'id="L{ids[700]}" class="l-info marked"', page)
    assert "line 650<" in page
    assert "line 500<" not in page
    assert "earlier lines" in page
    assert f"line={ids[700]}#L{ids[700]}" in page


def test_earlier_lines_are_counted_and_loaded(viewer):
    run = completed_run()
    lines(run, 1200)
    page = text(viewer, run, "&end=1")
    assert "700 earlier lines" in page
    (before,) = re.findall(r"before=(\d+)", page)
    page = text(viewer, run, f"&before={before}")
    assert "line 699<" in page
    assert "line 700<" not in page
    assert "200 earlier lines" in page


def test_a_flood_is_skipped_and_said_so(viewer):
    run, _ = executing_run()
    ids = lines(run, 1300)
    answer = live(viewer, run, ids[9])
    assert "790 lines skipped" in answer
    assert f"since={ids[9]}" in answer
    assert "line 1299<" in answer
    assert "line 700<" not in answer


def test_a_page_that_lacks_the_end_takes_no_new_lines(viewer):
    run, _ = executing_run()
    lines(run, 600)
    page = text(viewer, run)
    assert 'data-send="since"' not in page
    assert "Next 500 lines" in page
    assert 'data-send="since"' in text(viewer, run, "&end=1")
    assert 'id="log-lines"' not in live(viewer, run, "")


def test_lines_of_one_attempt(viewer):
    run, _ = executing_run()
    type(run).objects.filter(pk=run.pk).update(attempt_number=2, waited_attempt=0)
    lines(run, 1)
    lines(run, 1, attempt=2, message="of the second")
    page = text(viewer, run, "&attempt=2")
    assert "of the second" in page
    assert "line 0<" not in page
    assert "attempt=1" in page


def test_days_and_dropped_lines_stand_out(viewer):
    run = completed_run()
    lines(run, 1, at=timezone.now() - timedelta(days=2))
    lines(run, 1, message="9 more log lines dropped.", logger="trackside", level=30)
    page = text(viewer, run)
    assert page.count('class="day"') == 2
    # the day stands above its lines: each says its second
    assert len(re.findall(r">\d\d:\d\d:\d\d</time>", page)) >= 2
    assert 'class="l-warn ours"' in page


def test_colours_of_terminals_are_mapped(viewer):
    run = completed_run()
    lines(run, 1, message="\x1b[31m<b>no</b>\x1b[0m")
    assert '<span class="a-bad">&lt;b&gt;no&lt;/b&gt;</span>' in text(viewer, run)


@pytest.mark.parametrize(
    "query", ["&line=x", "&before=-1", "&attempt=999999999999", "&line=999999999999999999"]
)
def test_odd_addresses_are_harmless(viewer, query):
    run = completed_run()
    lines(run, 3)
    assert viewer.get(f"/runs/{run.id}?tab=logs{query}").status_code == 200
