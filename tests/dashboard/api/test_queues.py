from datetime import timedelta

import pytest
from django.utils import timezone

from runs.models import AuditLog, Queue
from tests.support import factories
from tests.support.rows import executing_run, make_queue, queued_run

pytestmark = pytest.mark.django_db


def test_lists_queues_by_page(api):
    for name in ("b", "a", "c"):
        make_queue(name)
    first = api.get("/api/v1/queues", perPage="2").json()
    assert [queue["name"] for queue in first["data"]] == ["a", "b"]
    assert first["pagination"] == {"currentPage": 1, "totalPages": 2, "count": 3}
    second = api.get("/api/v1/queues", perPage="2", page="2").json()
    assert [queue["name"] for queue in second["data"]] == ["c"]
    assert len(api.get("/api/v1/queues", perPage="101").json()["data"]) == 3
    for wrong in ({"page": "0"}, {"perPage": "0"}, {"perPage": "all"}, {"size": "1"}):
        assert api.get("/api/v1/queues", **wrong).status_code == 400


def test_tells_of_one_by_id_name_and_task(api):
    make_queue("slow", concurrency_limit=3)
    executing_run(queue="slow")
    queued_run(queue="slow")
    told = api.get("/api/v1/queues/slow", type="custom").json()
    assert {name: told[name] for name in ("name", "type", "running", "queued", "paused")} == {
        "name": "slow", "type": "custom", "running": 1, "queued": 1, "paused": False
    }  # fmt: skip
    assert told["concurrencyLimit"] == 3
    assert told["concurrency"] == {
        "current": 3, "base": 3, "override": None, "overriddenAt": None, "overriddenBy": None
    }  # fmt: skip
    assert api.get(f"/api/v1/queues/{told['id']}", type="id").json() == told
    assert api.get(f"/api/v1/queues/{told['id']}").json() == told
    factories.task("bill/send")
    own = api.get("/api/v1/queues/bill%252Fsend", type="task").json()
    assert (own["name"], own["type"], own["concurrencyLimit"]) == ("bill/send", "task", None)


def test_pauses_and_resumes(api):
    make_queue("slow")
    path = "/api/v1/queues/slow/pause"
    told = api.post(path, {"type": "custom", "action": "pause", "reason": "new disk"}).json()
    assert (told["paused"], told["pausedReason"], told["pausedBy"]) == (
        True,
        "new disk",
        "key:tests",
    )
    assert api.post(path, {"type": "custom", "action": "resume"}).json()["paused"] is False
    actions = list(AuditLog.objects.order_by("id").values_list("action", "actor"))
    assert actions[-2:] == [("queue.pause", "key:tests"), ("queue.resume", "key:tests")]
    assert api.post(path, {"type": "custom", "action": "stop"}).status_code == 400


def test_overrides_and_resets_limits(api):
    make_queue("slow", concurrency_limit=5)
    path = "/api/v1/queues/slow/concurrency"
    told = api.post(f"{path}/override", {"type": "custom", "concurrencyLimit": 2}).json()
    assert (told["concurrencyLimit"], told["concurrency"]["base"]) == (2, 5)
    assert told["concurrency"]["overriddenBy"] == "key:tests"
    until = (timezone.now() + timedelta(hours=1)).isoformat()
    more = {"type": "custom", "totalLimit": 9, "rateLimit": "100/1m", "expiresAt": until}
    told = api.post(f"{path}/override", more).json()
    assert (told["concurrencyLimit"], told["totalLimit"], told["rateLimit"]) == (2, 9, "100/1m")
    assert Queue.objects.get(name="slow").override_expires_at.isoformat() == until
    told = api.post(f"{path}/reset", {"type": "custom"}).json()
    assert (told["concurrencyLimit"], "totalLimit" in told) == (5, False)
    assert api.post(f"{path}/reset", {"type": "custom"}).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {}, {"concurrencyLimit": -1}, {"concurrencyLimit": "many"}, {"rateLimit": "fast"},
        {"concurrencyLimit": 1, "expiresAt": "2001-01-01"}, {"concurrencyLimit": 1, "expiresAt": "x"},
        {"limit": 1}, {"type": "both"},
    ],
)  # fmt: skip
def test_refuses_odd_overrides(api, body):
    make_queue("slow")
    answer = api.post("/api/v1/queues/slow/concurrency/override", {"type": "custom", **body})
    assert (answer.status_code, Queue.objects.get(name="slow").is_overridden) == (400, False)


@pytest.mark.parametrize("name", ["queue_0", "queue_", "queue_99999999999999999999", "x", "%00"])
@pytest.mark.parametrize("kind", ["id", "custom", "task"])
def test_an_unknown_queue_is_a_404(api, name, kind):
    answer = api.get(f"/api/v1/queues/{name}", type=kind)
    assert (answer.status_code, answer["x-should-retry"]) == (404, "false")


def test_pausing_an_unknown_queue_says_so_in_the_references_word(api):
    answer = api.post("/api/v1/queues/nobody/pause", {"type": "custom", "action": "pause"})
    assert (answer.status_code, answer.json()["error"]) == (404, "queue-not-found")
    assert "'nobody' (type=custom)" in answer.json()["details"][0]["message"]


def test_needs_a_key(client, db):
    assert client.get("/api/v1/queues").status_code == 401
    assert client.post("/api/v1/queues/x/pause").status_code == 401
