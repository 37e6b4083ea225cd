import html
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from dashboard.pages import batches as pages
from dashboard.pages.bars import strip
from runs.ids import new_id
from runs.lifecycle import TriggerItem, TriggerOptions, batches, batchstream
from runs.models import Batch, Run, Source
from runs.states import RunStatus
from tests.support import factories

pytestmark = pytest.mark.django_db


def make(count=2, key=None, **facts):
    factories.task()
    item = TriggerItem(task_id="send", options=TriggerOptions(idempotency_key=key))
    return batches.trigger([item] * count, new_id("batch"), source=Source.SDK, **facts)


def test_an_empty_list_says_how_to_make_one(viewer):
    assert "batch_trigger" in viewer.get("/batches").text


def test_the_list_shows_how_far_they_are(viewer, few_reads):
    made = make(3)
    (held,) = factories.claim(factories.session())
    factories.start(held)
    factories.complete(held)
    page = viewer.get("/batches")
    assert f'href="/batches/{made.batch_id}"' in page.text
    assert "1 of 3 ended" in page.text
    assert "Processing" in page.text
    for _ in range(5):
        make()
    with few_reads(6):
        viewer.get("/batches")


@pytest.mark.parametrize("at_once", [False, True])
def test_the_list_has_pages(viewer, monkeypatch, at_once):
    monkeypatch.setattr(pages, "PAGE", 2)
    ids = [make(1).batch_id for _ in range(5)][::-1]
    if at_once:
        Batch.objects.update(created_at=timezone.now())
    seen, place = [], ""
    while True:
        context = viewer.get("/batches", {"before": place}).context
        seen += [row.batch.pk for row in context["rows"]]
        place = context["older"]
        if not place:
            break
    assert seen == ids
    assert viewer.get("/batches", {"before": "nonsense~\x00"}).status_code == 200


def test_a_live_tick_answers_only_what_changed(viewer):
    made = make()
    address = f"/batches/{made.batch_id}"
    token = viewer.get(address).context["token"]
    tick = {"HX-Request": "true"}
    assert viewer.get(address, {"v": token}, headers=tick).status_code == 204
    factories.claim(factories.session())
    changed = viewer.get(address, {"v": token}, headers=tick)
    assert changed.status_code == 200
    assert "<html" not in changed.text


def test_a_batch_shows_its_runs_in_order_and_what_a_key_found(viewer):
    earlier = make(1, key="same").runs[0].run_id
    made = make(
        2,
        key="same",
    )
    page = viewer.get(f"/batches/{made.batch_id}")
    assert [run.pk for _, run, _, _ in page.context["runs"]] == [earlier, earlier]
    assert page.text.count("found</span>") == 2
    assert f"/runs?batch={made.batch_id}" in page.text


def test_what_failed_is_replayed_from_the_batch(viewer):
    made = make(3)
    assert "Replay what failed" not in viewer.get(f"/batches/{made.batch_id}").text
    Run.objects.filter(pk=made.runs[0].run_id).update(
        status=RunStatus.FAILED, finished_at=timezone.now()
    )
    page = viewer.get(f"/batches/{made.batch_id}").text
    (replay,) = re.findall(r'href="(/bulk/new[^"]+)"', page)
    assert "Replay 1 run" in viewer.get(html.unescape(replay)).text


def test_a_batch_without_runs_says_so(viewer):
    assert "asked for no run" in viewer.get(f"/batches/{make(0).batch_id}").text


def test_an_unknown_batch_is_a_404(viewer):
    assert viewer.get("/batches/batch_1").status_code == 404


def test_the_runs_list_is_narrowed_by_batch_in_all_time(viewer, time_machine):
    made, _ = make(2), make(1)
    time_machine.move_to(timezone.now() + timedelta(hours=1))
    page = viewer.get("/runs", {"batch": made.batch_id, "period": "15m"})
    assert {row["id"] for row in page.context["rows"]} == {run.run_id for run in made.runs}


def test_a_run_links_to_its_batch_and_the_box_finds_it(viewer):
    made = make()
    page = viewer.get(f"/runs/{made.runs[0].run_id}", {"tab": "detail"})
    assert f'href="/batches/{made.batch_id}"' in page.text
    assert viewer.get("/jump", {"q": made.batch_id})["Location"] == f"/batches/{made.batch_id}"


def test_a_strip_is_as_wide_as_what_has_begun():
    assert strip({"COMPLETED": 1, "EXECUTING": 1, "QUEUED": 2}) == (
        ("ok", "M0 0h25v6h-25z"),
        ("active", "M25 0h25v6h-25z"),
    )
    assert strip({}) == ()


def test_one_that_came_in_a_stream_says_what_became_of_each_item(viewer):
    factories.task()
    batch, _ = batchstream.open_batch(batchstream.Asked(3), source=Source.API)
    page = viewer.get(f"/batches/{batch.pk}")
    assert "None of its 3 items has come yet." in page.text
    assert "Pending" in viewer.get("/batches").text
    bad = batchstream.Offered(0, "send", problem="There is no queue named <x>.")
    good = [batchstream.Offered(n, "send", TriggerItem(task_id="send")) for n in (2, 1)]
    batchstream.add(batch.pk, [bad, *good], source=Source.API)
    page = viewer.get(f"/batches/{batch.pk}")
    assert "There is no queue named &lt;x&gt;." in page.text
    assert [number for number, *_ in page.context["runs"]] == [2, 3]
    assert page.context["hidden"] == 0
    assert "1 without a run" in page.text
