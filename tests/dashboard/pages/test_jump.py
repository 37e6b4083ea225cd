import pytest

from runs.models import ErrorGroup
from tests.support.rows import failed_run, make_queue, make_task, queued_run

pytestmark = pytest.mark.django_db


def test_finds_a_run_by_id_or_beginning(viewer):
    run = queued_run()
    assert viewer.get("/jump", {"q": run.id.upper()})["Location"] == f"/runs/{run.id}"
    assert viewer.get("/jump", {"q": run.id[4:-2]})["Location"] == f"/runs/{run.id}"


def test_finds_a_task_and_a_queue(viewer):
    make_task("mail/send")
    make_queue("slow")
    assert viewer.get("/jump?q=mail/send")["Location"] == "/runs?task=mail%2Fsend"
    assert viewer.get("/jump?q=slo")["Location"] == "/queues/slow"


def test_offers_a_choice(viewer):
    make_task("mail-a")
    make_task("mail-b")
    page = viewer.get("/jump?q=mail").content.decode()
    assert "Runs of mail-a" in page
    assert "Runs of mail-b" in page


def places(viewer, text):
    answer = viewer.get("/jump", {"q": text}, headers={"Accept": "application/json"})
    return [(place["kind"], place["what"], place["address"]) for place in answer.json()["places"]]


def test_the_palette_offers_pages_first(viewer, administrator):
    found = [what for _, what, _ in places(viewer, "")]
    assert {"Tasks", "Runs", "Queues", "Preferences"} <= set(found)
    assert places(viewer, "prefer")[0] == ("Page", "Preferences", "/me")
    assert viewer.get("/jump?q=preferences")["Location"] == "/me"


def test_the_palette_finds_everything_by_name(viewer):
    run = failed_run("charge-card")
    viewer.post("/views/save", {"name": "Charged", "query": "task=charge-card"})
    found = places(viewer, "charge")
    assert [kind for kind, _, _ in found] == ["View", "Task", "Search"]
    assert found[-1] == ("Search", "Runs that match “charge”", "/runs?q=charge")
    at = dict.fromkeys(("first_at", "last_at", "changed_at"), run.created_at)
    ErrorGroup.objects.create(fingerprint="f1", task_id="t", name="DeliveryError", **at)
    assert places(viewer, "delivery")[0][:2] == ("Error", "DeliveryError")
    assert places(viewer, run.id)[0] == ("Run", run.id, f"/runs/{run.id}")
    assert places(viewer, "status:faild") == []


@pytest.mark.parametrize(
    "text", ["nothing", "run_", "\x00", "<script>alert(1)</script>", "é" * 400]
)
def test_finds_nothing_politely(viewer, text):
    response = viewer.get("/jump", {"q": text})
    assert response.status_code in (302, 404)
    assert b"<script>alert" not in response.content


@pytest.mark.parametrize(
    ("short", "whole"),
    [
        ("/b/batch_01X", "/batches/batch_01x"),
        ("/w/waitpoint_01x", "/wait-tokens/waitpoint_01x"),
        ("/s/sched_01x", "/schedules/sched_01x"),
    ],
)
def test_short_links(viewer, client, short, whole):
    assert viewer.get(short)["Location"] == whole
    assert client.get(short)["Location"].startswith("/login/")
