from urllib.parse import quote

import pytest
from django.contrib.admin import site
from django.test import Client

from runs.lifecycle import apikeys
from runs.models import AuditLog, Queue, Run
from tests.support.rows import make_queue, make_session, make_user, queued_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss(db):
    client = Client()
    client.force_login(make_user("boss", is_staff=True, is_superuser=True))
    return client


@pytest.mark.parametrize("name", ["run", "task", "queue", "workersession", "auditlog", "schedule"])
def test_every_list_and_object_opens(boss, name):
    run = queued_run()
    make_session()
    Queue.objects.filter(name=run.queue).update(paused=True)
    assert boss.get(f"/admin/runs/{name}/").status_code == 200
    assert boss.get(f"/admin/runs/{name}/?q=x").status_code == 200


def test_runs_can_only_be_looked_at(boss):
    run = queued_run()
    assert boss.get(f"/admin/runs/run/{run.pk}/change/").status_code == 200
    assert boss.post(f"/admin/runs/run/{run.pk}/change/", {"status": "FAILED"}).status_code == 403
    assert boss.post(f"/admin/runs/run/{run.pk}/delete/", {"post": "yes"}).status_code == 403
    assert boss.get("/admin/runs/run/add/").status_code == 403


def test_the_list_of_runs_counts_nothing(boss, django_assert_max_num_queries):
    queued_run()
    with django_assert_max_num_queries(6) as queries:
        boss.get("/admin/runs/run/")
    assert not any("COUNT(" in query["sql"] for query in queries.captured_queries)


def test_pauses_and_resumes_with_a_trace(boss):
    queue = make_queue("slow")
    chosen = {"action": "pause", "_selected_action": [queue.pk]}
    boss.post("/admin/runs/queue/", chosen)
    assert Queue.objects.get(name="slow").paused_by == "user:boss"
    boss.post("/admin/runs/queue/", chosen | {"action": "resume"})
    assert not Queue.objects.get(name="slow").paused
    assert AuditLog.objects.count() == 2


def change(boss, queue, **fields):
    blank = {"concurrency_limit": "", "total_limit": "", "override_limit": "", "override_reason": "",
             "override_expires_at_0": "", "override_expires_at_1": ""}  # fmt: skip
    boss.post(f"/admin/runs/queue/{queue.pk}/change/", blank | fields)
    return Queue.objects.get(pk=queue.pk)


def test_overrides_and_resets_through_the_domain(boss):
    queue = make_queue("slow", concurrency_limit=5)
    fields = {"concurrency_limit": "5", "override_limit": "2", "override_reason": "slow"}
    changed = change(boss, queue, **fields)
    assert (changed.limit, changed.overridden_by) == (2, "user:boss")
    assert change(boss, queue, concurrency_limit="5").limit == 5
    actions = AuditLog.objects.order_by("id").values_list("action", flat=True)
    assert list(actions) == ["queue.override", "queue.reset"]


def test_sets_limits_and_makes_queues(boss):
    assert change(boss, make_queue("slow"), concurrency_limit="3", total_limit="9").total_limit == 9
    boss.post("/admin/runs/queue/add/", {"name": "new", "kind": "custom", "concurrency_limit": "1"})
    assert Queue.objects.get(name="new").limit == 1


def test_sets_and_overrides_rates(boss):
    changed = change(boss, make_queue("slow"), rate_limit="10/m")
    assert (changed.rate_limit, changed.rate_interval) == ("10/1m", 6_000_000)
    changed = change(boss, changed, rate_limit="10/1m", override_rate="5/1m", override_total="3")
    assert (changed.rate.text, changed.total, changed.rate_interval) == ("5/1m", 3, 12_000_000)
    assert change(boss, changed, rate_limit="often").rate_limit == "10/1m"
    fields = {"name": "new", "kind": "custom", "rate_limit": "1/1s"}
    boss.post("/admin/runs/queue/add/", fields)
    assert Queue.objects.get(name="new").rate_interval == 1_000_000


def test_a_queue_cannot_be_deleted(boss):
    queue = make_queue("slow")
    boss.post(
        "/admin/runs/queue/",
        {"action": "delete_selected", "_selected_action": [queue.pk], "post": "yes"},
    )
    assert boss.post(f"/admin/runs/queue/{queue.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Run.objects.count() == 0
    assert Queue.objects.filter(name="slow").exists()


def admin_addresses():
    """Every list, form and history of every model, for an object that is there or not."""
    for model in site._registry:
        start = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        one = model._default_manager.values_list("pk", flat=True).first() or "1"
        yield from (start, f"{start}add/", *(f"{start}{quote(str(one), safe='')}/{what}/" for what in ("change", "delete", "history")))  # fmt: skip


def test_no_way_leads_to_a_state_no_verb_allows(boss, client):
    run = queued_run(payload='{"note": "plainspoken"}')
    make_session()
    client.force_login(make_user("staff", is_staff=True))
    before = {model: model._default_manager.count() for model in (Run, Queue, AuditLog)}
    for address in admin_addresses():
        ours = address.startswith("/admin/runs/")
        for person in (boss, client):
            answer = person.get(address)
            assert answer.status_code in (200, 302, 403, 404), address
            assert b"plainspoken" not in answer.content
        if ours and "/queue/" not in address:
            for person in (boss, client):
                answer = person.post(address, {"post": "yes", "status": "FAILED"})
                assert answer.status_code in (200, 302, 403), address
    assert {model: model._default_manager.count() for model in before} == before
    assert Run.objects.get(pk=run.pk).status == run.status
    assert "/admin/django_q/" not in boss.get("/admin/").content.decode()


def test_a_new_queue_and_new_limits_are_on_record(boss):
    boss.post("/admin/runs/queue/add/", {"name": "new", "kind": "custom", "concurrency_limit": "3"})
    if Queue.objects.filter(name="new").exists():
        assert AuditLog.objects.filter(action="queue.create", target="new").exists()
    queue = make_queue("slow", concurrency_limit=5)
    change(boss, queue, concurrency_limit="4")
    assert AuditLog.objects.get(action="queue.limits").actor == "user:boss"


def test_keys_are_shown_without_their_secrets(boss):
    key, text = apikeys.create("ci", actor="cli:t")
    page = boss.get(f"/admin/runs/apikey/{key.pk}/change/").content.decode()
    assert "ci" in page
    for secret in (text, key.secret, key.key_hash):
        assert secret not in page
