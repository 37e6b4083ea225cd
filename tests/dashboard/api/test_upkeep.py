"""What operators do over the API beside what the reference's clients ask for."""

import pytest

from dashboard.api import upkeep
from runs.lifecycle import apikeys
from runs.models import ApiKey, AuditLog, Queue, Run, Task
from tests.dashboard.api.conftest import Api
from tests.support import factories

PURGES, PAUSES, KEYS = "/api/v1/purges", "/api/v1/pauses", "/api/v1/api-keys"


@pytest.fixture
def run(api):
    factories.task("hello")
    return api.trigger("hello", {"payload": [1], "options": {"delay": "1h"}}).json()["id"]


def test_edits_a_run_that_was_never_started(api, run):
    body = {"payload": {"n": 1.50}, "priority": 5, "delay": 0, "reason": "sooner"}
    answer = api.post(f"/api/v1/runs/{run}/edit", body)
    assert (answer.status_code, answer.json()["payload"], answer.json()["status"]) == (
        200,
        {"n": 1.5},
        "QUEUED",
    )
    row = Run.objects.get(pk=run)
    assert (row.payload, row.priority) == ('{"n": 1.5}', 5)
    entry = AuditLog.objects.get(action="run.edit")
    assert (entry.actor, entry.reason) == ("key:tests", "sooner")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"queue": "nowhere"}, 422),
        ({"priority": "high"}, 400),
        ({"delay": "soon"}, 400),
        ({"machine": "micro"}, 400),
        ({"payload": "{", "payloadType": "application/json"}, 400),
        ({"payload": "x", "payloadType": "application/store"}, 400),
        (b"[]", 400),
        (b"", 400),
    ],
)
def test_refuses_what_is_no_edit(api, run, body, status):
    answer = api.post(f"/api/v1/runs/{run}/edit", body)
    assert (answer.status_code, bool(answer.json()["error"])) == (status, True)
    assert not AuditLog.objects.filter(action="run.edit").exists()


def test_what_has_started_or_ended_is_a_conflict(api, run):
    api.post(f"/api/v2/runs/{run}/cancel")
    assert api.post(f"/api/v1/runs/{run}/edit", {"priority": 1}).status_code == 409
    assert api.post(f"/api/v1/runs/{run}/unlock").status_code == 409
    assert api.post("/api/v1/runs/run_0/unlock").status_code == 404


def test_unlocks_a_run_from_its_version(api):
    body = {"options": {"lockToVersion": "v1"}}
    run = api.trigger("hello", body).json()["id"]
    assert "version" not in api.post(f"/api/v1/runs/{run}/unlock").json()


def test_purges_some_and_says_whether_there_are_more(api, run, monkeypatch):
    monkeypatch.setattr(upkeep, "MOST", 2)
    for _ in range(2):
        api.trigger("hello")
    assert api.post(PURGES, {"task": "hello", "dryRun": True}).json() == {
        "count": 2,
        "isMore": True,
    }
    assert Run.objects.filter(status="CANCELED").count() == 0
    done = api.post(PURGES, {"task": ["hello"], "reason": "enough"}).json()
    assert (done["count"] >= 2, done["isMore"]) == (True, True)
    api.post(PURGES, {"task": "hello"})
    assert api.post(PURGES, {"task": "hello"}).json() == {"count": 0, "isMore": False}
    assert {one.status for one in Run.objects.all()} == {"CANCELED"}
    assert AuditLog.objects.filter(action="run.purge", reason="enough").count() == 1


@pytest.mark.parametrize(
    "body", [{}, {"status": "completed"}, {"olderThan": "soon"}, {"task": ["a\x00"]}, {"all": True}]
)
def test_purges_nothing_that_was_not_named(api, run, body):
    assert api.post(PURGES, body).status_code == 400
    assert Run.objects.get().status == "DELAYED"


def test_stops_all_queues_and_opens_what_it_closed(api, run):
    factories.task("other")
    done = api.post(PAUSES, {"action": "pause", "reason": "incident"}).json()["count"]
    assert done == Queue.objects.filter(paused=True).count() == 2
    assert api.post(PAUSES, {"action": "resume"}).json() == {"count": 2}
    assert api.post(PAUSES, {"action": "stop"}).status_code == 400


def test_makes_lists_and_revokes_keys(api):
    body = {"name": "a/b", "role": "trigger", "tasks": ["hello"], "expiresIn": "1d"}
    made = api.post(KEYS, body)
    text = made.json()["key"]
    assert (made.status_code, made["cache-control"]) == (200, "no-store")
    assert Api(text).trigger("hello").status_code == 200
    listed = api.get(KEYS).json()["data"]
    assert [one["name"] for one in listed] == ["a/b", "tests"]
    assert listed[0].keys() == made.json().keys() - {"key"} | {"lastUsedAt"}
    assert (listed[0]["tasks"], listed[0]["createdBy"]) == (["hello"], "key:tests")
    assert api.post(f"{KEYS}/a%2Fb/revoke").json()["isActive"] is False
    assert Api(text).trigger("hello").status_code == 401
    assert api.post(f"{KEYS}/nobody/revoke").status_code == 404
    assert AuditLog.objects.filter(actor="key:tests", action="apikey.revoke").exists()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "tests"},
        {"name": "a", "role": "root"},
        {"name": "a", "tasks": ["x"]},
        {"name": "a", "role": "viewer", "tasks": [""]},
        {"name": "a", "expiresIn": "9" * 30 + "d"},
        {"name": "a", "key": "x" * 40},
    ],
)
def test_refuses_what_is_no_key(api, body):
    assert api.post(KEYS, body).status_code == 400
    assert ApiKey.objects.count() == 1


def test_these_are_for_administrators(api, run):
    operator = Api(apikeys.create("o", actor="cli:x", role="operator")[1])
    for path in (PURGES, PAUSES, KEYS, f"{KEYS}/tests/revoke"):
        assert operator.post(path, {"name": "x", "action": "pause"}).status_code == 403
    assert operator.get(KEYS).status_code == 403
    assert operator.post(f"/api/v1/runs/{run}/edit", {"priority": 1}).status_code == 200


def test_lists_tasks(api, run):
    Task.objects.filter(pk="hello").update(schema='{"type": "object"}', description="Says so.")
    (task,) = api.get("/api/v1/tasks").json()["data"]
    assert (task["id"], task["payloadSchema"], task["isActive"]) == (
        "hello",
        {"type": "object"},
        True,
    )
    restricted = Api(apikeys.create("r", actor="cli:x", role="viewer", tasks=["other"])[1])
    assert restricted.get("/api/v1/tasks").json()["data"] == []


def test_a_task_is_paused_and_goes_on(api, run):
    path = "/api/v1/tasks/hello/pause"
    told = api.post(path, {"action": "pause", "reason": "broken"}).json()
    assert (told["paused"], told["pausedBy"], told["pausedReason"]) == (True, "key:tests", "broken")
    assert Task.objects.get(pk="hello").paused_by == "key:tests"
    told = api.post(path, {"action": "resume"}).json()
    assert (told["paused"], "pausedAt" in told) == (False, False)
    assert api.post("/api/v1/tasks/none/pause", {"action": "pause"}).status_code == 404
    assert api.post(path, {"action": "stop"}).status_code == 400
    operator = Api(apikeys.create("p", actor="cli:x", role="operator")[1])
    assert operator.post(path, {"action": "pause"}).status_code == 403
