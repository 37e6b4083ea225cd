import json

import pytest
from django.utils import timezone

from engine import catalog, queue, retry, runtime, webhook
from engine.discovery import BrokenFile, Catalog
from engine.launching import StoredRuns
from engine.sdk.tasks import define
from runs import lifecycle
from runs.lifecycle import sessions
from runs.models import Queue, Run, Source, Task, WorkerSession
from runs.webhooks import Webhook

pytestmark = pytest.mark.django_db


def defined(task_id, **options):
    return define(lambda payload: None, id=task_id, **options)


def register(*tasks, version="v1", broken=()):
    return catalog.register(Catalog(tasks, broken, version))


def alive_session(version):
    now = timezone.now()
    return WorkerSession.objects.create(
        id=f"session_{version}",
        cluster="c",
        host="h",
        boot_id="b",
        pid=1,
        slots=1,
        version=version,
        started_at=now,
        heartbeat_at=now,
        expires_at=now,
    )


def test_writes_what_the_task_declares():
    register(
        defined(
            "charge",
            description="Charges.",
            schema=list[int],
            retry=retry(max_attempts=7, factor=3),
            queue={"concurrency_limit": 2},
            machine="micro",
            max_duration=60,
            ttl="1h",
            priority=1,
            tags="billing",
        )
    )
    row = Task.objects.get()
    assert (row.id, row.description, row.version, row.active) == ("charge", "Charges.", "v1", True)
    assert (row.max_attempts, row.max_duration, row.ttl) == (7, 60, 3600)
    assert (row.machine, row.priority, row.tags) == ("micro", 1, '["billing"]')
    assert json.loads(row.config)["retry"]["factor"] == 3
    assert json.loads(row.schema)["type"] == "array"
    made = Queue.objects.get(name="task/charge")
    assert (made.kind, made.concurrency_limit) == ("task", 2)


def test_writes_nothing_when_nothing_changed(django_assert_max_num_queries):
    task = defined("charge")
    assert register(task).changed == ("charge",)
    before = Task.objects.get().registered_at
    with django_assert_max_num_queries(10):
        assert register(task).changed == ()
    assert Task.objects.get().registered_at == before


def test_limits_from_code_change_and_those_of_people_stay():
    register(defined("charge", queue=queue("billing", concurrency_limit=2)))
    lifecycle.override_limit("billing", 9, actor="user:anna")
    lifecycle.pause("billing", actor="user:anna")
    register(defined("charge", queue=queue("billing", concurrency_limit=3, total_limit=8)))
    row = Queue.objects.get(name="billing")
    assert (row.concurrency_limit, row.total_limit) == (3, 8)
    assert (row.override_limit, row.paused, row.kind) == (9, True, "custom")


def test_rates_from_code_come_change_and_go():
    for rate in ("100/1m", "50/1m burst 2", None):
        register(defined("charge", queue=queue("billing", rate_limit=rate)))
        row = Queue.objects.get(name="billing")
        assert (row.rate_limit, row.pace is None) == (rate or "", rate is None)
    assert row.rate_interval is None


def test_a_trigger_goes_by_the_policy_that_was_registered():
    charge = defined("charge", overlap="skip")
    register(charge)
    before = runtime.install(StoredRuns())
    try:
        first, second = charge.trigger({}), charge.trigger({})
    finally:
        runtime.install(before)
    assert (second.id, second.is_skipped, second.is_cached) == (first.id, True, True)
    assert not first.is_skipped


def test_a_queue_that_was_only_named_keeps_its_limits():
    Queue.objects.create(name="paid", concurrency_limit=4)
    register(defined("charge", queue="paid"), defined("mail", queue="new"))
    assert Queue.objects.get(name="paid").concurrency_limit == 4
    assert Queue.objects.get(name="new").concurrency_limit is None


def test_a_task_that_vanished_is_inactive():
    register(defined("old"), defined("kept"))
    assert register(defined("kept")).vanished == ("old",)
    assert not Task.objects.get(pk="old").active
    assert register(defined("old"), defined("kept")).changed == ("old",)
    assert Task.objects.get(pk="old").active


def test_a_task_of_the_demo_does_not_vanish():
    Task.objects.create(
        id="shop/refund", config='{"made_by": "demo"}', queue="q", registered_at=timezone.now()
    )
    assert register(defined("kept")).vanished == ()
    assert Task.objects.get(pk="shop/refund").active


def test_a_task_that_a_living_cluster_may_have_stays_active():
    register(defined("old"), version="v1")
    session = alive_session("v1")
    register(defined("new"), version="v2")
    assert Task.objects.get(pk="old").active
    session.delete()
    register(defined("new"), version="v2")
    assert not Task.objects.get(pk="old").active


def test_a_broken_file_marks_its_known_tasks():
    register(good := defined("good"), known := defined("known", tags="a"))
    Task.objects.filter(pk="known").update(file_path="/tasks/bad.py")
    bad = BrokenFile("/tasks/bad.py", "Traceback: no", ("unheard",))
    register(good, broken=[bad])
    rows = {row.pk: row for row in Task.objects.all()}
    assert [rows[name].broken for name in ("good", "known", "unheard")] == [False, True, True]
    assert (rows["known"].error, rows["known"].tags) == ("Traceback: no", '["a"]')
    register(good, known)
    assert not Task.objects.get(pk="known").broken


def test_runs_that_waited_for_the_task_go_on():
    run = lifecycle.trigger("late", None, source=Source.SDK)
    assert Run.objects.get(pk=run.run_id).status == "PENDING_VERSION"
    assert register(defined("late")).released == 1
    assert Run.objects.get(pk=run.run_id).status == "QUEUED"


def test_a_newer_version_that_is_run_decides_what_a_task_is():
    old = sessions.open_session("c", slots=1, version="v1", pid=1)
    catalog.register(Catalog((defined("charge"), defined("gone")), (), "v1"), old.pk)
    new = sessions.open_session("c", slots=1, version="v2", pid=2)
    changed = queue("billing", concurrency_limit=3)
    catalog.register(Catalog((defined("charge", queue=changed),), (), "v2"), new.pk)
    assert set(Task.objects.filter(active=True).values_list("id", "version")) == {
        ("charge", "v2"),
        ("gone", "v1"),
    }
    again = Catalog((defined("charge", queue=queue("billing", concurrency_limit=1)),), (), "v1")
    assert catalog.register(again, old.pk).changed == ()
    assert Queue.objects.get(name="billing").concurrency_limit == 3
    sessions.close(new.pk)
    assert catalog.register(again, old.pk).changed == ("charge",)
    assert Queue.objects.get(name="billing").concurrency_limit == 1


def test_a_session_knows_the_tasks_of_its_code():
    session = sessions.open_session("c", slots=1, version="v1", pid=1)
    broken = BrokenFile("/tasks/bad.py", "Traceback: no", ("bad",))
    catalog.register(Catalog((defined("charge"),), (broken,), "v1"), session.pk)
    session.refresh_from_db()
    assert session.tasks == '["charge"]'


def test_a_webhook_stands_in_the_row_and_goes_with_the_code():
    hook = webhook.github("pushes", secret="HOOK")
    register(defined("pushed", webhook=hook))
    row = Task.objects.get()
    assert (row.webhook_path, Webhook.from_json(row.webhook)) == ("pushes", hook)
    register(defined("pushed"))
    row.refresh_from_db()
    assert (row.webhook_path, row.webhook) == ("", "")


@pytest.mark.parametrize(
    ("key", "stored"),
    [
        (None, {}),
        ("$.id", {"concurrency_key": "$.id"}),
        (lambda payload: "k", {"computed_key": True}),
    ],
)
def test_says_where_the_concurrency_key_comes_from(key, stored):
    register(defined("keyed", concurrency_key=key))
    config = json.loads(Task.objects.get().config)
    assert {name: config[name] for name in config if "key" in name} == stored


def test_says_what_tells_its_runs_apart():
    made = define(lambda payload: None, id="facts", key_facts="payload.order_id")
    assert json.loads(catalog.healthy_row(made, "v1").config)["key_facts"] == ["payload.order_id"]
