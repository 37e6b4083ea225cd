from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from runs import lifecycle
from runs.lifecycle import store
from runs.models import AuditLog, Depth, Queue, Ready
from tests.support.past import past_run
from tests.support.rows import executing_run, make_queue, make_session, queued_run

pytestmark = pytest.mark.django_db


def test_shows_how_full_they_are(viewer):
    make_queue("slow", concurrency_limit=3)
    executing_run(queue="slow")
    queued_run(queue="slow")
    page = viewer.get("/queues").content.decode()
    assert "1 of 3" in page
    assert "Open" in page


def test_counts_by_concurrency_key(viewer):
    make_queue("slow", concurrency_limit=1)
    queued_run(queue="slow", concurrency_key="<b>a</b>")
    queued_run(queue="slow")
    page = viewer.get("/queues/slow?tab=keys").content.decode()
    assert "&lt;b&gt;a&lt;/b&gt;" in page
    assert "no key" in page


def test_pauses_and_resumes(administrator):
    make_queue("a/slow queue")
    path = "/queues/a/slow%20queue"
    response = administrator.post(path, {"action": "pause", "reason": "new disk"})
    assert (response.status_code, response["Location"]) == (303, path)
    page = administrator.get(path).content.decode()
    assert "Paused by ada" in page
    assert "new disk" in page
    administrator.post(path, {"action": "resume"})
    assert not Queue.objects.get(name="a/slow queue").paused
    assert list(AuditLog.objects.values_list("action", flat=True)) == [
        "queue.resume",
        "queue.pause",
    ]


def test_overrides_and_resets_the_limit(administrator):
    make_queue("slow", concurrency_limit=5)
    fields = {
        "action": "override",
        "limit": "2",
        "reason": "slow",
        "expires_at": "2099-01-01T10:00",
    }
    administrator.post("/queues/slow?tz=Asia/Tokyo", fields)
    queue = Queue.objects.get(name="slow")
    assert (queue.limit, queue.overridden_by) == (2, "user:ada")
    assert queue.override_expires_at == datetime(2099, 1, 1, 1, tzinfo=UTC)
    administrator.post("/queues/slow", {"action": "reset"})
    assert Queue.objects.get(name="slow").limit == 5


@pytest.mark.parametrize(
    "fields",
    [
        {}, {"action": "explode"}, {"action": "override"}, {"action": "override", "limit": "-1"},
        {"action": "override", "limit": "9999999"}, {"action": "reset"},
        {"action": "override", "limit": "1", "expires_at": "2001-01-01T00:00"},
    ],
)  # fmt: skip
def test_refuses_what_makes_no_sense(administrator, fields):
    make_queue("slow", concurrency_limit=5)
    response = administrator.post("/queues/slow", fields)
    assert response.status_code == 422
    assert Queue.objects.get(name="slow").limit == 5


def test_operators_may_not(operator):
    make_queue("slow")
    assert operator.post("/queues/slow", {"action": "pause"}).status_code == 403
    assert b"Can change queue" in operator.get("/queues/slow").content


def test_an_unchanged_table_is_not_sent_again(viewer):
    make_queue("slow")
    token = viewer.get("/queues").context["token"]
    live = {"v": token}, {"HX-Request": "true"}
    assert viewer.get("/queues", live[0], headers=live[1]).status_code == 204
    lifecycle.pause("slow", actor="user:ada")
    assert b"Paused" in viewer.get("/queues", live[0], headers=live[1]).content


def test_needs_few_queries(viewer, few_reads):
    for number in range(20):
        make_queue(f"queue-{number}")
    with few_reads(17):
        viewer.get("/queues")
    with few_reads(9):  # the last hour is remembered for a while
        viewer.get("/queues")


def test_shows_the_rate_and_what_is_left_of_it(viewer):
    make_queue("slow", rate_limit="100/1h burst 3")
    executing_run(queue="slow")
    page = viewer.get("/queues/slow").content.decode()
    assert "100 per hour, 3 at once" in page
    assert "2 now" in page


def test_shows_when_the_next_start_is(viewer):
    make_queue("slow", rate_limit="100/1h", total_limit=7)
    executing_run(queue="slow", concurrency_key="a")
    queued_run(queue="slow", concurrency_key="a")
    store.current().claim(make_session().pk, 5)
    for path in ("/queues", "/queues/slow", "/queues/slow?tab=keys"):
        page = viewer.get(path).content.decode()
        assert "Next start <time" in page
        assert "at most 7 over all keys" in page
    assert "about <time" in page


def test_overrides_the_rate_and_the_total(administrator):
    make_queue("slow", rate_limit="100/1h", concurrency_limit=5)
    fields = {"action": "override", "total": "9", "rate": "10/m burst 2"}
    assert administrator.post("/queues/slow", fields).status_code == 303
    queue = Queue.objects.get(name="slow")
    assert (queue.limit, queue.total, queue.rate.text) == (5, 9, "10/1m burst 2")
    page = administrator.get("/queues/slow").content.decode()
    assert "Overridden with <b>total 9 10/1m burst 2</b>" in page
    administrator.post("/queues/slow", {"action": "reset"})
    assert Queue.objects.get(name="slow").rate.text == "100/1h"


@pytest.mark.parametrize("rate", ["often", "0/1m", "10/1m burst 11"])
def test_says_what_a_rate_looks_like(administrator, rate):
    make_queue("slow")
    response = administrator.post("/queues/slow", {"action": "override", "rate": rate})
    assert response.status_code == 422
    assert "rate" in response.context["form"].errors


def test_pauses_and_resumes_all(administrator):
    for name in ("slow", "fast", "held"):
        make_queue(name)
    lifecycle.pause("held", actor="user:ada")
    administrator.post("/queues", {"action": "pause", "reason": "moving house"})
    assert not Queue.objects.filter(paused=False).exists()
    page = administrator.get("/queues").text
    assert "All queues were paused by ada" in page
    assert "moving house" in page
    assert "Resume all" in page
    administrator.post("/queues", {"action": "resume"})
    paused = Queue.objects.filter(paused=True).values_list("name", flat=True)
    assert list(paused) == ["held"]
    assert "Pause all queues" in administrator.get("/queues").text


def test_all_are_paused_by_administrators(operator):
    make_queue("slow")
    assert operator.post("/queues", {"action": "pause"}).status_code == 403
    assert not Queue.objects.get(name="slow").paused
    assert "Can change queue" in operator.get("/queues").text


def test_shows_who_is_next_and_who_executes(viewer):
    make_queue("slow", concurrency_limit=1)
    held, _ = executing_run(queue="slow", concurrency_key="a")
    others = [queued_run(queue="slow", concurrency_key="a") for _ in range(2)]
    urgent = queued_run(queue="slow", concurrency_key="a", priority=60)
    found = viewer.get("/queues/slow").context
    assert [line.run.pk for line in found["running"]] == [held.pk]
    waiting = [line.run.pk for line in found["waiting"]]
    assert waiting == [urgent.pk, *(run.pk for run in others)]


def test_keys_take_turns(viewer):
    make_queue("slow")
    runs = {
        key: [queued_run(queue="slow", concurrency_key=key).pk for _ in range(2)] for key in "ab"
    }
    waiting = [line.run.pk for line in viewer.get("/queues/slow").context["waiting"]]
    assert waiting == [runs["a"][0], runs["b"][0], runs["a"][1], runs["b"][1]]


def test_shows_the_last_hour(viewer):
    make_queue("slow", concurrency_limit=2)
    now = timezone.now()
    for minutes in (2, 3, 5):
        past_run(now - timedelta(minutes=minutes), queue="slow", waited=20, took=30)
    minute = now.replace(second=0, microsecond=0)
    for ago in range(5):
        at = minute - timedelta(minutes=ago)
        Depth.objects.create(queue="", at=at, queued=4, running=2, room=9)
        Depth.objects.create(queue="slow", at=at, queued=4, running=2, room=2)
    row = next(row for row in viewer.get("/queues").context["rows"] if row.queue.name == "slow")
    assert (row.flow.ended, row.flow.running, row.throttled) == (0.2, 2, 5)
    assert 10 <= row.flow.p95_wait <= 30
    assert "now 4, at most 4; held back by its limit in 5 minutes" in row.backlog.summary


def test_says_what_another_limit_would_do(administrator):
    make_queue("slow", concurrency_limit=1)
    make_session(slots=10)
    for _ in range(30):
        queued_run(queue="slow")
    past_run(timezone.now() - timedelta(minutes=2), queue="slow", took=1)
    now = administrator.get("/queues/slow").context["what_if"]
    assert now["then"] is None
    headers = {"HX-Request": "true", "HX-Target": "what-if"}
    found = administrator.get("/queues/slow?limit=8&total=", headers=headers)
    assert found.text.strip().startswith("<section")
    shown = found.context["what_if"]
    assert shown["then"].ends == pytest.approx(8 * shown["now"].ends)
    assert shown["then"].drains < shown["now"].drains
    whole = administrator.get("/queues/slow?limit=8")
    assert whole.context["form"].initial["limit"] == "8"
    assert Queue.objects.get(name="slow").limit == 1


@pytest.mark.parametrize("limit", ["-1", "x", "", "99999999999", "0"])
def test_a_limit_that_makes_no_sense_projects_nothing_wrong(viewer, limit):
    make_queue("slow")
    past_run(timezone.now() - timedelta(minutes=2), queue="slow")
    assert viewer.get(f"/queues/slow?limit={limit}").status_code == 200


def test_says_what_pausing_stops(administrator):
    make_queue("slow")
    executing_run(queue="slow")
    queued_run(queue="slow")
    page = administrator.get("/queues/slow").text
    assert "0 will stop; 1 running go on; 1 keep waiting, and about 0.1 more a minute." in page


def test_tells_what_was_changed(administrator):
    make_queue("slow", concurrency_limit=5)
    lifecycle.override_limit("slow", 20, actor="user:ada", reason="sale")
    page = administrator.get("/queues/slow?tab=changes").text
    assert "Override: limit 5 → limit 20" in page
    assert "sale" in page


def test_runs_that_are_kept_for_a_version_are_next_too(viewer):
    make_queue("slow")
    make_session()
    kept = queued_run(queue="slow")
    Ready.objects.filter(pk=kept.pk).update(pin="v1")
    found = viewer.get("/queues/slow").context
    assert [line.run.pk for line in found["waiting"]] == [kept.pk]
