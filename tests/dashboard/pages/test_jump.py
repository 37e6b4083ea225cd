import pytest

from tests.support.rows import make_queue, make_task, queued_run

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


@pytest.mark.parametrize(
    "text", ["nothing", "run_", "\x00", "<script>alert(1)</script>", "é" * 400]
)
def test_finds_nothing_politely(viewer, text):
    response = viewer.get("/jump", {"q": text})
    assert response.status_code in (302, 404)
    assert b"<script>alert" not in response.content
