from datetime import timedelta

import pytest
from django.utils import timezone

from runs import lifecycle
from tests.support.past import past_run
from tests.support.rows import completed_run, failed_run, make_task, queued_run
from tests.support.schedules import schedule

pytestmark = pytest.mark.django_db


def test_shows_what_the_task_is(viewer):
    make_task("mail/send", max_duration=90, machine="large-1x", description="Sends it.")
    page = viewer.get("/tasks/mail/send").text
    for words in ("Sends it.", "1 m 30 s", "large-1x", "task/mail/send", "never triggered"):
        assert words in page


def test_shows_what_it_does(viewer):
    completed_run()
    failed_run()
    queued_run()
    found = viewer.get("/tasks/hello")
    assert [line.look.word for line in found.context["recent"]] == ["Queued", "Failed", "Completed"]
    assert found.context["queued"] == 1
    assert "1 completed, 0 canceled, 1 failed" in found.text
    assert "style=" not in found.text


def test_shows_how_it_performs(viewer):
    for took in (1, 1, 1, 30):
        past_run(timezone.now() - timedelta(minutes=5), took=took, version="v1")
    bad = past_run(timezone.now() - timedelta(minutes=4), "FAILED", version="v2")
    make_task("hello")
    found = viewer.get("/tasks/hello?tab=performance&period=1h")
    assert 1 <= found.context["p50"] <= 2
    assert found.context["slowest"][0].took == timedelta(seconds=30)
    assert [(one.name, one.failed) for one in found.context["versions"]] == [("v2", 1), ("v1", 0)]
    assert f'First bad: <a class="mono" href="/runs/{bad.pk}"' in found.text


def test_shows_when_it_fires(viewer):
    make_task("hello")
    assert "No schedule triggers it" in viewer.get("/tasks/hello?tab=schedules").text
    schedule(task_id="hello", cron="0 7 * * *")
    assert "0 7 * * *" in viewer.get("/tasks/hello?tab=schedules").text


def test_shows_what_it_takes(viewer):
    text = '{"type": "object", "properties": {"n": {"type": "integer", "title": "<b>"}}}'
    make_task("hello", schema=text)
    page = viewer.get("/tasks/hello?tab=schema").text
    assert "integer" in page
    assert "<b>&" not in page
    assert "any JSON" in viewer.get(f"/tasks/{make_task('other').id}?tab=schema").text


def test_says_that_its_queue_is_paused(viewer):
    make_task("hello")
    lifecycle.pause("task/hello", actor="user:ada", reason="new disk")
    assert "new disk" in viewer.get("/tasks/hello").text


def test_an_unknown_task_is_not_found(viewer):
    assert viewer.get("/tasks/no/such").status_code == 404
    assert viewer.get("/tasks/%00").status_code == 404


@pytest.mark.parametrize("tab", ["runs", "schedules", "performance", "schema", "nonsense"])
def test_an_unchanged_board_is_not_sent_again(viewer, tab, few_reads):
    completed_run()
    address = f"/tasks/hello?tab={tab}&period=nonsense"
    token = viewer.get(address).context["token"]
    with few_reads(16):
        again = viewer.get(f"{address}&v={token}", headers={"HX-Request": "true"})
    assert again.status_code == 204
