import re
from datetime import timedelta

import pytest
from django.utils import timezone

from runs import lifecycle
from runs.models import Run
from runs.reads.deadline import TooSlow
from tests.dashboard.pages.conftest import client_of
from tests.support.rows import (
    completed_run,
    failed_run,
    make_queue,
    make_task,
    make_user,
    queued_run,
)

pytestmark = pytest.mark.django_db


def ids(response):
    return re.findall(r'<tr id="(run_\w+)"', response.content.decode())


def test_lists_the_newest_first(viewer):
    first, second = queued_run(), queued_run()
    assert ids(viewer.get("/runs")) == [second.id, first.id]


def test_filters_by_several_statuses(viewer):
    failed, done, _ = failed_run(), completed_run(), queued_run()
    assert ids(viewer.get("/runs?status=FAILED&status=COMPLETED")) == [done.id, failed.id]


def test_filters_by_task_queue_and_tag(viewer):
    make_queue("slow")
    wanted = queued_run("mail", queue="slow", tags=("eu", "vip"))
    queued_run("mail", tags=("us",))
    for query in ("queue=slow", "tag=eu", "tag=vip,nothing", "task=mail&tag=eu"):
        assert ids(viewer.get(f"/runs?{query}")) == [wanted.id]


def test_filters_by_machine_and_version(viewer):
    queued_run()
    wanted = queued_run(machine="large-1x", version="v7")
    for query in ("machine=large-1x", "version=v7", "machine=large-1x&version=v7"):
        assert ids(viewer.get(f"/runs?{query}")) == [wanted.id]
    assert ids(viewer.get("/runs?machine=micro")) == []
    page = viewer.get("/runs?machine=large-1x").content.decode()
    assert "<option selected>large-1x</option>" in page
    detail = viewer.get(f"/runs/{wanted.id}?tab=detail").content.decode()
    assert "/runs?machine=large-1x" in detail
    assert "/runs?version=v7" in detail


def test_offers_the_tags_of_the_newest_runs(viewer):
    queued_run(tags=("customer:42",))
    assert '<option value="customer:42"></option>' in viewer.get("/runs").content.decode()


def test_filters_by_id_beginning_and_test(viewer):
    plain, test = queued_run(), queued_run(is_test=True)
    assert ids(viewer.get(f"/runs?run={plain.id}")) == [plain.id]
    assert ids(viewer.get(f"/runs?run={plain.id[4:]}")) == [plain.id]
    assert ids(viewer.get("/runs?test=1")) == [test.id]
    assert ids(viewer.get("/runs?test=0")) == [plain.id]


def test_filters_by_time(db, time_machine):
    time_machine.move_to("2030-01-01T12:00:00Z")
    old = queued_run()
    time_machine.move_to("2030-01-03T12:00:00Z")
    new = queued_run()
    viewer = client_of(make_user("tim", "view_run"))
    assert ids(viewer.get("/runs?period=24h")) == [new.id]
    assert ids(viewer.get("/runs?to=2030-01-02T00:00")) == [old.id]
    assert ids(viewer.get("/runs?from=2030-01-02T00:00:00%2B00:00")) == [new.id]
    kathmandu = {"from": "2030-01-01T17:40", "to": "2030-01-01T17:50", "tz": "Asia/Kathmandu"}
    assert ids(viewer.get("/runs", kathmandu)) == [old.id]


@pytest.mark.parametrize(
    "query",
    [
        "status=NONSENSE&period=soon&rows=7&test=maybe", "from=yesterday&to=9999-99-99T99:99",
        "cursor=forged", "task=%00&run=%00&tag=%00&queue=%00", "run=%F0%9F%A6%84", "tz=%00",
    ],
)  # fmt: skip
def test_ignores_what_it_does_not_understand(viewer, query):
    queued_run()
    assert viewer.get(f"/runs?{query}").status_code == 200


def test_chips_remove_one_filter_each(viewer):
    page = viewer.get("/runs?status=FAILED&tag=eu").content.decode()
    assert 'href="/runs?tag=eu"' in page
    assert 'href="/runs?status=FAILED"' in page


def test_pages_there_and_back(viewer):
    made = [queued_run().id for _ in range(25)][::-1]
    first = viewer.get("/runs?rows=10")
    assert ids(first) == made[:10]
    older = viewer.get("/runs", {"rows": 10, "cursor": first.context["slice"].older})
    assert ids(older) == made[10:20]
    last = viewer.get("/runs", {"rows": 10, "cursor": older.context["slice"].older})
    assert ids(last) == made[20:]
    assert last.context["slice"].older == ""
    assert [page.context["slice"].number for page in (first, older, last)] == [1, 2, 3]
    newer = viewer.get("/runs", {"rows": 10, "cursor": last.context["slice"].newer})
    assert ids(newer) == made[10:20]
    assert (
        ids(viewer.get("/runs", {"rows": 10, "cursor": newer.context["slice"].newer})) == made[:10]
    )


def test_a_cursor_of_another_filter_falls_back_to_the_first_page(viewer):
    made = [queued_run().id for _ in range(12)][::-1]
    cursor = viewer.get("/runs?rows=10").context["slice"].older
    assert ids(viewer.get("/runs", {"rows": 10, "cursor": cursor, "status": "QUEUED"})) == made[:10]


def test_empty_lists_say_what_to_do(viewer):
    assert b"How to write one" in viewer.get("/runs").content
    make_task()
    assert b"Test a task" in viewer.get("/runs").content
    queued_run()
    page = viewer.get("/runs?status=FAILED&period=1h").content
    assert b"No run matches" in page
    assert b'href="/runs?status=FAILED&amp;period=6h">Last 6 hours' in page


def test_stops_and_says_so_when_the_database_is_slow(viewer, monkeypatch):
    def slow(*_):
        raise TooSlow(2.0)

    monkeypatch.setattr("dashboard.pages.cursors.cut", slow)
    response = viewer.get("/runs?tag=rare")
    assert response.status_code == 200
    assert b"Stopped after 2 s" in response.content
    assert b'href="/runs?tag=rare&amp;period=3d">Last 3 days' in response.content


def test_a_fragment_is_only_the_results(viewer):
    queued_run()
    response = viewer.get("/runs", headers={"HX-Request": "true"})
    assert b"<html" not in response.content
    assert b'id="results"' in response.content


def test_live_rows_come_when_they_changed(viewer):
    run = queued_run()
    page = viewer.get("/runs")
    token = page.context["rows"][0]["token"]
    query = {"have": f"{run.id}:{token}", "newest": run.id}
    assert viewer.get("/runs/live", query).status_code == 204
    lifecycle.cancel(run.id, actor="user:vera")
    changed = " ".join(viewer.get("/runs/live", query).content.decode().split())
    assert f'<tr id="{run.id}" data-row data-task="hello"' in changed
    assert 'hx-swap-oob="true" class="fresh">' in changed
    assert "data-live-row" not in changed


def test_counts_newer_runs_for_the_pill(viewer):
    run = queued_run()
    for _ in range(3):
        queued_run()
    live = viewer.get("/runs/live", {"newest": run.id})
    assert b"3 new runs" in live.content
    assert viewer.get("/runs/live", {"newest": run.id, "pill": "3"}).status_code == 204


def test_polled_fragments_hold_no_form_token(viewer):
    queued_run()
    assert b"csrf" not in viewer.get("/runs/live", {"newest": "run_0"}).content


def test_counts_by_status_afterwards(viewer):
    failed_run()
    queued_run()
    page = viewer.get("/runs/counts?tag=&status=FAILED").content.decode()
    assert "Runs made" in page
    assert "Failed" in page
    assert "Queued" in page
    assert "Completed" not in page


def test_needs_few_queries_and_leaves_large_columns_alone(viewer, few_reads):
    for number in range(10):
        queued_run(payload=f'{{"n": {number}}}')
    viewer.get("/runs")  # names to pick from are remembered for a while
    with few_reads(5) as queries:
        viewer.get("/runs")
    assert not any('"payload"' in query["sql"] for query in queries.captured_queries)


def test_hostile_text_is_inert(viewer):
    make_task("<script>alert(1)</script>")
    run = queued_run("<script>alert(1)</script>", tags=('"><img src=x onerror=alert(1)>',))
    Run.objects.filter(pk=run.pk).update(reason="</td><script>alert(2)</script>")
    for path in ("/runs", "/runs?tag=%22%3E%3Cimg%20src%3Dx%3E&task=<script>"):
        page = viewer.get(path).content.decode()
        assert "<script>alert" not in page
        assert "<img" not in page


def test_an_old_run_is_outside_the_default_window(viewer, time_machine):
    now = timezone.now()
    time_machine.move_to(now - timedelta(days=8))
    old = queued_run()
    time_machine.move_to(now)
    assert ids(viewer.get("/runs")) == []
    assert ids(viewer.get("/runs?period=all")) == [old.id]
