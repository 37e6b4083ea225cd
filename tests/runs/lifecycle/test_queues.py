import json
from datetime import timedelta

import pytest
from django.utils import timezone

from runs import lifecycle
from runs.errors import InvalidOption, NotFound, QueueFull
from runs.lifecycle import queues
from runs.models import AuditLog, Queue, Ready, Source
from runs.states import RunStatus
from tests.support.factories import claim, executing_run, queue, session, suspend, task, trigger

pytestmark = pytest.mark.django_db
LONG = "user:" + "a" * 150


@pytest.fixture(autouse=True)
def mail():
    return queue("mail", limit=5)


def audited():
    return list(AuditLog.objects.order_by("id").values_list("action", "actor", "reason"))


def test_a_pause_says_who_and_why():
    paused = lifecycle.pause("mail", actor=LONG, reason="disk full")
    assert (paused.paused, paused.paused_by, paused.paused_reason) == (True, LONG, "disk full")
    assert paused.paused_at
    assert audited() == [("queue.pause", LONG, "disk full")]


def test_a_second_pause_changes_nothing():
    first = lifecycle.pause("mail", actor="user:ada", reason="disk full")
    second = lifecycle.pause("mail", actor="user:bob", reason="mine")
    assert (second.paused_by, second.paused_at) == ("user:ada", first.paused_at)
    assert len(audited()) == 1


def test_resuming_forgets_the_pause():
    lifecycle.pause("mail", actor="user:ada", reason="disk full")
    resumed = lifecycle.resume("mail", actor="user:bob")
    assert (resumed.paused, resumed.paused_by, resumed.paused_reason) == (False, "", "")
    lifecycle.resume("mail", actor="user:bob")
    assert [action for action, *_ in audited()] == ["queue.pause", "queue.resume"]


def test_an_override_wins_until_it_is_reset():
    made = lifecycle.override_limit("mail", 2, actor="user:ada", reason="slow server")
    assert (made.limit, made.concurrency_limit, made.overridden_by) == (2, 5, "user:ada")
    assert lifecycle.reset_limit("mail", actor="user:bob").limit == 5
    rows = AuditLog.objects.order_by("id").values_list("data", flat=True)
    assert [json.loads(row) for row in rows] == [{"old": 5, "new": 2}, {"old": 2, "new": 5}]


def test_code_does_not_touch_an_override_or_a_pause():
    lifecycle.override_limit("mail", 2, actor="user:ada")
    lifecycle.pause("mail", actor="user:ada")
    made = lifecycle.set_limits("mail", concurrency_limit=9, total_limit=None)
    assert (made.limit, made.concurrency_limit, made.paused) == (2, 9, True)


def test_without_an_override_there_is_nothing_to_reset():
    with pytest.raises(InvalidOption, match="not overridden"):
        lifecycle.reset_limit("mail", actor="user:ada")


@pytest.mark.parametrize("limit", [-1, 100_001, 2.5, True, None, "3"])
def test_a_limit_is_a_whole_number(limit):
    with pytest.raises(InvalidOption, match="whole number"):
        lifecycle.override_limit("mail", limit, actor="user:ada")


@pytest.mark.parametrize(
    "moment",
    [
        timezone.now() - timedelta(hours=1),
        timezone.now().replace(year=2090, tzinfo=None),
        timezone.now().replace(year=9900),
    ],
)
def test_an_expiry_is_a_moment_to_come(moment):
    with pytest.raises(InvalidOption):
        lifecycle.override_limit("mail", 1, actor="user:ada", expires_at=moment)


@pytest.mark.parametrize("verb", [lifecycle.pause, lifecycle.resume, lifecycle.reset_limit])
def test_an_unknown_queue_is_not_found(verb):
    with pytest.raises(NotFound, match="nowhere"):
        verb("nowhere", actor="user:ada")


def test_a_reason_that_cannot_be_stored_is_refused():
    for verb in (lifecycle.pause, lambda name, **facts: lifecycle.override_limit(name, 1, **facts)):
        with pytest.raises(InvalidOption, match="reason"):
            verb("mail", actor="user:ada", reason="\x00")


def test_an_override_ends_by_itself(time_machine):
    time_machine.move_to("2030-01-01T00:00:00Z", tick=False)
    until = timezone.now() + timedelta(minutes=5)
    lifecycle.override_limit("mail", 1, actor="user:ada", expires_at=until)
    assert lifecycle.expire_overrides() == 0
    time_machine.move_to("2030-01-01T00:05:00Z", tick=False)
    assert lifecycle.expire_overrides() == 1
    assert Queue.objects.get(name="mail").limit == 5
    assert audited()[-1][:2] == ("queue.reset", "system")


def test_an_override_given_anew_is_not_ended(mail):
    lifecycle.override_limit("mail", 1, actor="user:ada")
    assert not queues._expire_override(mail.pk)
    assert not queues._expire_override(0)
    assert Queue.objects.get(name="mail").limit == 1


def test_all_queues_pause_and_go_on_but_those_paused_before():
    runs = [trigger(), trigger(queue="mail"), trigger(queue=queue("slow").name)]
    lifecycle.pause("slow", actor="user:ada", reason="slow indeed")
    assert lifecycle.pause_all(actor="user:bob", reason="incident") == 2
    assert lifecycle.pause_all(actor="user:bob") == 0
    assert claim(session(), 4) == []
    made = Queue.objects.create(name="later")
    assert (made.paused, made.paused_by, made.paused_reason) == (True, "user:bob", "incident")
    many = Queue.objects.bulk_create([Queue(name="one"), Queue(name="two")])
    assert all(row.paused for row in many)
    assert lifecycle.resume_all(actor="user:ada") == 5
    assert lifecycle.resume_all(actor="user:ada") == 0
    assert {one.run_id for one in claim(session(), 4)} == {run.pk for run in runs[:2]}
    left = Queue.objects.get(paused=True)
    assert (left.name, left.paused_reason) == ("slow", "slow indeed")
    assert not Queue.objects.create(name="last").paused
    assert list(AuditLog.objects.values_list("action", flat=True)) == [
        "queue.resume_all",
        "queue.pause_all",
        "queue.pause",
    ]


def test_one_queue_may_go_on_while_all_are_paused():
    trigger(queue="mail")
    queue("slow")
    lifecycle.pause_all(actor="user:ada")
    lifecycle.resume("mail", actor="user:ada")
    lifecycle.pause("mail", actor="user:ada", reason="after all")
    lifecycle.resume_all(actor="user:ada")
    assert Queue.objects.get(paused=True).paused_reason == "after all"


def test_new_queues_of_a_project_that_runs_cost_one_look(django_assert_num_queries):
    with django_assert_num_queries(2):
        Queue.objects.bulk_create([Queue(name="one"), Queue(name="two")])


def test_tasks_share_the_limit_of_their_queue():
    queue("one", limit=1)
    task("a", queue="one")
    task("b", queue="one")
    runs = [trigger("a"), trigger("b")]
    assert [one.run_id for one in claim(session(), 4)] == [runs[0].pk]


def test_a_key_has_the_whole_limit_of_a_task_s_own_queue():
    task("send")
    Queue.objects.filter(name="task/send").update(concurrency_limit=1)
    for key in ("a", "a", "b"):
        trigger("send", concurrency_key=key)
    assert len(claim(session(), 4)) == 2


def test_a_run_whose_wait_is_over_does_not_start_in_a_paused_queue():
    one = executing_run(queue="mail")
    suspend(one)
    by = session()
    lifecycle.pause("mail", actor="user:ada")
    Ready.objects.update(not_before=timezone.now())
    lifecycle.promote_due()
    assert (claim(by), one.run.status) == ([], RunStatus.QUEUED)
    lifecycle.resume("mail", actor="user:ada")
    assert [back.run_id for back in claim(by)] == [one.run_id]


def crowd(count, **options):
    wanted = lifecycle.TriggerOptions(**{"queue": "mail"} | options)
    items = [lifecycle.TriggerItem(task_id="send", options=wanted)] * count
    return lifecycle.trigger_many(items, source=Source.SDK)


def test_a_queue_has_room_for_so_many(settings):
    settings.TRACKSIDE = settings.TRACKSIDE | {"QUEUE_SIZE_LIMIT": 3}
    task("send")
    crowd(2, concurrency_key="a")
    with pytest.raises(
        QueueFull, match=r"“mail” has room for 1 more runs and not for 2.*at most 3"
    ):
        crowd(2, concurrency_key="b")
    crowd(1, idempotency_key="k")
    crowd(5, delay=60.0)
    crowd(3, queue=queue("slow").name)
    assert crowd(1, idempotency_key="k")[0].is_cached
    with pytest.raises(QueueFull):
        crowd(1)
    assert len(claim(session(), 1)) == 1
    crowd(1)
