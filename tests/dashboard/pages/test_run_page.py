import re
from datetime import timedelta

import pytest
from django.utils import timezone

from dashboard import sight
from dashboard.pages import tracebacks
from dashboard.presenters import short_id
from runs import lifecycle
from runs.debounce import Debounce
from runs.models import Lease, LogLine, Ready, Run, RunTag, Source, WorkerSession
from tests.support import factories
from tests.support.corpora import needs_corpora, strings
from tests.support.rows import (
    completed_run,
    executing_run,
    failed_run,
    make_queue,
    make_session,
    queued_run,
)

pytestmark = pytest.mark.django_db
TABS = (
    "trace",
    "attempts",
    "payload",
    "logs",
    "detail",
    "context",
    "journal",
    "history",
    "streams",
)


def lines(run, count):
    LogLine.objects.bulk_create(
        LogLine(
            run_id=run.id,
            attempt=1,
            level=20,
            logger="root",
            message=f"line {n}",
            at=timezone.now(),
        )
        for n in range(count)
    )


@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize(
    "make", [queued_run, completed_run, failed_run, lambda: executing_run()[0]]
)
def test_shows_every_tab_in_every_state(viewer, make, tab):
    response = viewer.get(f"/runs/{make().id}?tab={tab}")
    assert response.status_code == 200
    assert b'aria-current="page"' in response.content


def test_shows_own_frames_and_folds_the_rest(viewer):
    address = f"/runs/{failed_run().id}?tab=attempts"
    page = viewer.get(address).content.decode()
    assert "DeliveryError" in page
    assert 'id="attempt-1-frame-2" class="own"' in page
    assert "tasks/mail.py:18" in page
    assert "1 frame of libraries: http<" in page
    assert '<details id="fold' in page
    assert '<details open id="fold' in viewer.get(f"{address}&stack=full").content.decode()


def test_shows_key_debounce_and_what_was_edited(viewer):
    asked = Debounce("shop-7", 60.0, "trailing", 300.0)
    run = factories.trigger(idempotency_key="order-7", debounce=asked)
    lifecycle.edit(run.pk, lifecycle.Edit(priority=9.0), actor="user:ada", reason="she calls")
    page = viewer.get(f"/runs/{run.pk}?tab=detail").content.decode()
    assert "“shop-7”, 60 s, trailing, at most 300 s in all" in page
    assert "order-7" in page
    history = viewer.get(f"/runs/{run.pk}?tab=history").content.decode()
    assert "<b>Edited</b>" in history
    assert "she calls" in history


def test_says_why_it_does_not_run(viewer):
    make_queue("slow", concurrency_limit=1)
    lifecycle.pause("slow", actor="user:ada", reason="new disk")
    page = viewer.get(f"/runs/{queued_run(queue='slow').id}").content.decode()
    assert "No worker is connected" in page
    assert "Queue slow is paused by ada: new disk" in page
    assert "0 of its limit of 1" in page
    assert "It is the next one" in page


def test_says_until_when_it_is_delayed(viewer):
    page = viewer.get(f"/runs/{queued_run(delay=3600.0).id}").content.decode()
    assert "Delayed until" in page


def test_says_that_its_key_is_at_its_limit(viewer):
    make_queue("slow", concurrency_limit=1)
    executing_run(queue="slow", concurrency_key="a")
    page = viewer.get(f"/runs/{queued_run(queue='slow', concurrency_key='a').id}").content.decode()
    assert "Key “a” runs 1 of its limit of 1." in page


def test_says_that_no_worker_knows_the_task(viewer):
    made = lifecycle.trigger("unknown", source=Source.SDK)
    page = viewer.get(f"/runs/{made.run_id}").content.decode()
    assert "Pending version" in page
    assert "Blocked:" in page


def test_an_ended_run_is_not_polled(viewer):
    tab = "?tab=attempts"
    assert b"data-live " not in viewer.get(f"/runs/{completed_run().id}{tab}").content
    assert b"data-live " in viewer.get(f"/runs/{queued_run().id}{tab}").content


def test_live_parts_come_when_something_changed(viewer):
    run = queued_run()
    token = viewer.get(f"/runs/{run.id}?tab=attempts").context["token"]
    live = {"tab": "attempts", "v": token}
    assert viewer.get(f"/runs/{run.id}/live", live).status_code == 204
    lifecycle.cancel(run.id, actor="user:vera", reason="not needed")
    final = viewer.get(f"/runs/{run.id}/live", live).content.decode()
    assert "Canceled" in final
    assert "not needed" in final
    assert "data-live " not in final


def test_a_gate_that_closes_is_a_change(viewer):
    run = queued_run()
    token = viewer.get(f"/runs/{run.id}").context["token"]
    lifecycle.pause(run.queue, actor="user:ada")
    assert b"is paused" in viewer.get(f"/runs/{run.id}/live", {"v": token}).content


def test_metadata_is_live_and_leaves_the_rest_of_the_tab_alone(viewer):
    run, _ = executing_run()
    page = viewer.get(f"/runs/{run.id}?tab=payload")
    assert 'id="part-metadata"' in page.content.decode()
    lifecycle.update_metadata(run.pk, [{"type": "set", "key": "done", "value": 3}])
    live = {"tab": "payload", "v": page.context["token"]}
    again = viewer.get(f"/runs/{run.id}/live", live).content.decode()
    assert 'id="part-metadata" hx-swap-oob="true"' in again
    assert "done" in again
    assert 'id="part-payload"' not in again


def test_the_executing_time_is_told_also_while_it_executes(viewer):
    run, _ = executing_run()
    Lease.objects.update(started_at=timezone.now() - timedelta(seconds=90))
    Run.objects.filter(pk=run.pk).update(usage_ms=30_000)
    assert "2 m so far" in viewer.get(f"/runs/{run.pk}?tab=detail").content.decode()
    done = completed_run()
    Run.objects.filter(pk=done.pk).update(usage_ms=1500)
    assert "<dd>1.5 s</dd>" in viewer.get(f"/runs/{done.pk}?tab=detail").content.decode()
    assert "<dd>–</dd>" in viewer.get(f"/runs/{queued_run().pk}?tab=detail").content.decode()


def test_logs_come_after_the_last_line_known(viewer):
    run, _ = executing_run()
    lines(run, 3)
    since = LogLine.objects.order_by("id")[1].id
    page = viewer.get(f"/runs/{run.id}/live", {"tab": "logs", "since": since}).content.decode()
    assert "line 2" in page
    assert "line 1" not in page


def test_long_logs_come_in_parts(viewer):
    run, _ = executing_run()
    lines(run, 600)
    first = viewer.get(f"/runs/{run.id}?tab=logs").content.decode()
    assert "line 499<" in first
    assert "line 500<" not in first
    assert "Next 500 lines" in first
    end = viewer.get(f"/runs/{run.id}?tab=logs&end=1").content.decode()
    assert "line 599<" in end
    assert "line 99<" not in end


def test_logs_are_searched_and_stay_so(viewer):
    run, _ = executing_run()
    lines(run, 70)
    page = viewer.get(f"/runs/{run.id}?tab=logs&q=LINE+6&level=20").content.decode()
    assert "line 6<" in page
    assert "line 60<" in page
    assert "line 7<" not in page
    assert 'value="LINE 6"' in page
    live = re.search(r'hx-get="([^"]*live[^"]*)"', page)[1].replace("&amp;", "&")
    lines(run, 7)
    again = viewer.get(f"{live}&since=1").content.decode()
    assert "line 6<" in again
    assert "line 5<" not in again
    assert "level=20&amp;q=LINE+6" in page
    assert "No line has it yet" in viewer.get(f"/runs/{run.id}?tab=logs&q=%25").content.decode()
    nothing = viewer.get(f"/runs/{completed_run().id}?tab=logs&q=<b>").content.decode()
    assert "No line has “&lt;b&gt;”" in nothing


@pytest.mark.parametrize("query", ["since=x", "since=-1", "since=99999999999999999999", "level=7"])
def test_odd_log_addresses_are_harmless(viewer, query):
    assert viewer.get(f"/runs/{queued_run().id}?tab=logs&{query}").status_code == 200


def test_downloads_are_byte_exact(viewer):
    text = '{"a": 1e2,\r\n "a":"\\u0000\\ud800é", "n": 12345678901234567890.10}'
    run = queued_run(payload=text)
    response = viewer.get(f"/runs/{run.id}/raw/payload")
    assert response.content.decode() == text
    assert "attachment" in response["Content-Disposition"]
    assert viewer.get(f"/runs/{run.id}/raw/output").status_code == 404
    assert viewer.get(f"/runs/{run.id}/raw/sort_key").status_code == 404


def test_downloads_logs_as_text(viewer):
    run, _ = executing_run()
    lines(run, 2)
    assert b"line 1" in viewer.get(f"/runs/{run.id}/raw/logs").content


def test_large_documents_show_their_ends(viewer):
    run = completed_run(output='"' + "x" * 1_200_000 + 'end"')
    page = viewer.get(f"/runs/{run.id}?tab=payload").content
    assert len(page) < 200_000
    assert b"of the middle are left out" in page
    assert b"xend&quot;" in page


def test_links_relatives(viewer):
    parent = queued_run()
    child = queued_run(parent_id=parent.id)
    replay = lifecycle.replay(parent.id, actor="user:ada").run_id
    page = viewer.get(f"/runs/{parent.id}?tab=detail").content.decode()
    assert child.id in page
    assert replay in page
    assert f"/runs/{parent.id}" in viewer.get(f"/runs/{replay}").content.decode()


def test_short_links_lead_to_the_page(viewer):
    run = queued_run()
    assert viewer.get(f"/r/{run.id}")["Location"] == f"/runs/{run.id}"


def test_a_late_retry_says_when(viewer):
    run = queued_run()
    due = timezone.now() + timedelta(seconds=38)
    Run.objects.filter(pk=run.pk).update(attempt_number=1, max_attempts=5, retry_at=due)
    page = viewer.get(f"/runs/{run.id}").content.decode()
    assert "Reattempting" in page
    assert "Attempt 2 of 5 is due" in page


def test_an_error_that_says_nothing_is_its_name():
    with sight.using(sight.Sight.STORED):
        assert tracebacks.headline('{"name": "MemoryError", "message": ""}') == "MemoryError"
        assert tracebacks.headline('{"name": "KeyError", "message": "x"}') == "KeyError: x"


def test_the_history_names_machines(viewer):
    run, session = executing_run()[0], WorkerSession.objects.get()
    page = viewer.get(f"/runs/{run.id}?tab=history").content.decode()
    assert f'attempt 1</span> <span class="dim">on {session.host}<' in page
    known, _ = session.pk, session.delete()
    page = viewer.get(f"/runs/{run.id}?tab=history").content.decode()
    assert f"on {short_id(known)}<" in page


def test_needs_few_queries(viewer, few_reads):
    make_session()
    run, done, failed = queued_run(), completed_run(), failed_run()
    viewer.get("/help/shortcuts")  # what the frame counts is remembered for some seconds
    with few_reads(10):
        viewer.get(f"/runs/{run.id}")
    for tab in TABS:
        with few_reads(8):
            viewer.get(f"/runs/{done.id}?tab={tab}")
        with few_reads(10):
            viewer.get(f"/runs/{failed.id}?tab={tab}")
    token = viewer.get(f"/runs/{done.id}").context["token"]
    with few_reads(4):
        assert viewer.get(f"/runs/{done.id}/live", {"v": token}).status_code == 204


@needs_corpora
def test_naughty_strings_are_shown_as_text(viewer):
    texts = [text.replace("\x00", "") for text in strings()]
    run, _ = executing_run()
    LogLine.objects.bulk_create(
        LogLine(run_id=run.id, attempt=1, level=20, logger="root", message=text, at=timezone.now())
        for text in texts
    )
    RunTag.objects.bulk_create(RunTag(tag=text[:128], run_id=run.id) for text in set(texts[:10]))
    page = viewer.get(f"/runs/{run.id}?tab=logs&end=1").content.decode()
    for mark in ("<script>alert", "<img", "<svg onload", "javascript:alert(1)>", '<a href="jav'):
        assert mark not in page


def test_a_run_that_waits_for_a_version_can_be_let_go_on(operator):
    factories.session(version="v2", tasks=["send"])
    run = factories.trigger(version="v1")
    Run.objects.filter(pk=run.pk).update(status="PENDING_VERSION", reason="It waits for v1.")
    Ready.objects.all().delete()
    page = operator.get(f"/runs/{run.pk}").content.decode()
    assert "It waits for v1." in page
    assert "Go on with another version" in page
    operator.post(f"/runs/{run.pk}/unlock")
    assert Run.objects.get(pk=run.pk).status == "QUEUED"
    timeline = operator.get(f"/runs/{run.pk}?tab=history").content.decode()
    assert "Unlocked from version v1." in timeline
    assert operator.post(f"/runs/{run.pk}/unlock").status_code == 409


def test_a_viewer_may_not_let_it_go_on(viewer):
    run = factories.trigger(version="v1")
    assert viewer.post(f"/runs/{run.pk}/unlock").status_code == 403


def test_tells_a_version_that_was_asked_for(viewer):
    run = factories.trigger(version="v1")
    assert (
        "v1, asked for by the trigger" in viewer.get(f"/runs/{run.pk}?tab=detail").content.decode()
    )


def test_says_that_old_log_lines_were_removed(viewer):
    run = completed_run()
    address = f"/runs/{run.id}?tab=logs"
    assert "It logged nothing" in viewer.get(address).text
    Run.objects.filter(pk=run.pk).update(finished_at=timezone.now() - timedelta(days=91))
    assert "Log lines are removed after 90 days" in viewer.get(address).text
