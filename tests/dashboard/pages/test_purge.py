import pytest

from dashboard.pages import purge as pages
from runs.models import AuditLog, Run
from tests.support.rows import executing_run, make_queue, queued_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def waiting():
    """Two in the queue “slow”, one delayed there, one that executes there, one elsewhere."""
    make_queue("slow")
    make_queue("other")
    executing_run(queue="slow")
    return [
        queued_run(queue="slow"),
        queued_run(queue="slow"),
        queued_run(queue="slow", delay=3600.0),
        queued_run(queue="other"),
    ]


def hidden(page, name):
    return page.text.split(f'name="{name}" value="')[1].split('"')[0].replace("&amp;", "&")


def send(client, page, **fields):
    found = {name: hidden(page, name) for name in ("query", "until")}
    return client.post("/bulk/purge", found | fields)


def statuses(runs):
    return [Run.objects.get(pk=run.pk).status for run in runs]


def test_shows_what_it_would_cancel_and_cancels_that(administrator, waiting):
    page = administrator.get("/bulk/purge?queue=slow&period=all")
    assert "Purge 3 runs" in page.text
    assert "starts any more" not in page.text
    late = queued_run(queue="slow")
    answer = send(administrator, page, reason="flooded")
    assert (answer.status_code, answer["Location"]) == (303, "/runs?queue=slow&period=all")
    assert statuses([*waiting, late]) == ["CANCELED"] * 3 + ["QUEUED"] * 2
    assert Run.objects.get(pk=waiting[0].pk).reason == "flooded"
    entry = AuditLog.objects.get(action="run.purge")
    assert (entry.actor, entry.reason) == ("user:ada", "flooded")
    assert "queue=slow" in entry.data
    assert "Purged 3 runs." in administrator.get(answer["Location"]).text


def test_all_runs_and_no_runs_are_not_purged(administrator, waiting):
    assert "needs a filter" in administrator.get("/bulk/purge?period=all").text
    answer = administrator.post("/bulk/purge", {"query": "period=all", "until": "run_z"})
    assert (answer.status_code, set(statuses(waiting))) == (422, {"QUEUED", "DELAYED"})
    assert "nothing to purge" in administrator.get("/bulk/purge?status=COMPLETED").text


def test_without_the_look_nothing_is_purged(administrator, waiting):
    answer = administrator.post("/bulk/purge", {"query": "queue=slow&period=all"})
    assert (answer.status_code, statuses(waiting)[0]) == (422, "QUEUED")


def test_production_wants_the_number(administrator, waiting, settings):
    settings.TRACKSIDE = {"ENVIRONMENT": {"name": "Live", "kind": "prod"}}
    page = administrator.get("/bulk/purge?queue=slow&period=all")
    wrong = send(administrator, page, typed="2")
    assert (wrong.status_code, statuses(waiting)[0]) == (422, "QUEUED")
    assert "type 3" in wrong.text
    assert send(administrator, page, typed="3").status_code == 303
    assert statuses(waiting)[0] == "CANCELED"


def test_of_many_the_oldest_go_first(administrator, waiting, monkeypatch):
    monkeypatch.setattr(pages, "MOST", 2)
    page = administrator.get("/bulk/purge?queue=slow&period=all")
    assert "Purge 2 runs" in page.text
    answer = send(administrator, page)
    assert "purge again" in administrator.get(answer["Location"]).text
    assert statuses(waiting) == ["CANCELED", "CANCELED", "DELAYED", "QUEUED"]


def test_is_for_administrators(operator, waiting):
    page = operator.get("/bulk/purge?queue=slow&period=all")
    assert "Can change queue" in page.text
    assert (send(operator, page).status_code, statuses(waiting)[0]) == (403, "QUEUED")


def test_is_offered_where_there_is_a_selection(viewer, waiting):
    assert "/bulk/purge?queue=slow&amp;period=all" in viewer.get("/queues/slow").text
    assert "/bulk/purge?task=hello" in viewer.get("/runs?task=hello").text
    assert "/bulk/purge" not in viewer.get("/runs").text
