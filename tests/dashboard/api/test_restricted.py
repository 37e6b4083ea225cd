"""Keys that are for some tasks only, and keys that are for one kind of work only."""

import json
import time

import pytest

from runs.lifecycle import apikeys, publictokens
from runs.models import ApiKey, AuditLog, Run
from tests.dashboard.api.conftest import Api
from tests.support import factories
from tests.support.publictokens import signed

ALL = {"mine", "other"}


@pytest.fixture
def keys(db):
    for task in (*ALL, "beside"):
        factories.task(task)

    def made(role="operator", tasks=("mine", "beside")):
        name = f"{role} {len(ApiKey.objects.all())}"
        return Api(apikeys.create(name, actor="cli:x", role=role, tasks=tasks)[1])

    return made


@pytest.fixture
def runs(api, keys):
    """A run of each task, under one root of another task."""
    root = api.trigger("other").json()["id"]
    options = {"parentRunId": root, "tags": ["t"], "delay": "1h"}
    return {
        name: api.trigger(name, {"payload": 1, "options": options}).json()["id"]
        for name in sorted(ALL)
    }


def batch(api, *tasks):
    opened = api.post("/api/v3/batches", {"runCount": len(tasks), "taskIdentifiers": [*tasks]})
    if opened.status_code != 202:
        return opened
    lines = [json.dumps({"index": n, "task": task}) for n, task in enumerate(tasks)]
    path = f"/api/v3/batches/{opened.json()['id']}/items"
    return api.client.post(
        path, "\n".join(lines), content_type="application/x-ndjson", headers=api.headers
    )


OF_A_RUN = [
    ("GET", "/api/v3/runs/{}", None),
    ("GET", "/api/v1/runs/{}", None),
    ("GET", "/api/v1/runs/{}/metadata", None),
    ("GET", "/api/v1/runs/{}/trace", None),
    ("GET", "/api/v3/runs/{}/events", None),
    ("GET", "/api/v1/runs/{}/packets/payload", None),
    ("PUT", "/api/v1/runs/{}/metadata", {"metadata": {"a": 1}}),
    ("POST", "/api/v1/runs/{}/tags", {"tags": ["x"]}),
    ("POST", "/api/v1/runs/{}/reschedule", {"delay": "2h"}),
    ("POST", "/api/v1/runs/{}/replay", {}),
    ("POST", "/api/v2/runs/{}/cancel", None),
    ("GET", "/api/v1/runs/{}/result", None),
]


@pytest.mark.parametrize(("method", "path", "body"), OF_A_RUN)
def test_does_with_runs_of_its_tasks_and_with_no_other(keys, runs, method, path, body):
    restricted = keys()
    before = Run.objects.filter(task_id="other").values_list("updated_at", "status", "tags")
    seen = list(before)
    refused = restricted.send(method, path.format(runs["other"]), body)
    assert (refused.status_code, refused.json()["error"]) == (
        403,
        "This key is restricted to tasks: beside, mine.",
    )
    assert list(before.all()) == seen
    # one that has not ended has no result
    assert restricted.send(method, path.format(runs["mine"]), body).status_code in {200, 404}
    assert restricted.send(method, path.format("run_0"), body).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/v1/queues", None),
        ("GET", "/api/v1/queues/task%2Fmine", None),
        ("POST", "/api/v1/waitpoints/tokens", {}),
        ("GET", "/api/v1/waitpoints/tokens", None),
        ("GET", "/api/v1/waitpoints/tokens/waitpoint_0", None),
        ("POST", "/api/v1/waitpoints/tokens/waitpoint_0/complete", {}),
        ("GET", "/api/v1/bulk-actions", None),
        ("GET", "/api/v1/bulk-actions/bulk_0", None),
        ("POST", "/api/v1/bulk-actions/bulk_0/abort", None),
        ("GET", "/api/v1/packets/20260101%2Fpacket_0", None),
        ("POST", "/api/v1/tasks/other/trigger", {}),
        ("POST", "/api/v1/idempotencyKeys/k/reset", {"taskIdentifier": "other"}),
        ("POST", "/api/v1/bulk-actions", {"action": "cancel", "filter": {"tag": "t"}}),
        ("GET", "/api/v1/runs?filter[taskIdentifier]=mine,other", None),
    ],
)
def test_what_is_of_no_task_or_of_another_is_closed(keys, method, path, body):
    assert keys().send(method, path, body).status_code == 403


def test_lists_runs_of_its_tasks(keys, runs):
    restricted = keys()
    for query in ({}, {"filter[taskIdentifier]": "mine"}):
        found = restricted.get("/api/v1/runs", **query).json()["data"]
        assert [one["id"] for one in found] == [runs["mine"]]
    assert restricted.get("/api/v1/schedules").json()["data"] == []


def test_shows_no_relatives_of_other_tasks(api, keys, runs):
    path = f"/api/v3/runs/{runs['mine']}"
    assert keys().get(path).json()["relatedRuns"] == {}
    assert {"root", "parent"} == api.get(path).json()["relatedRuns"].keys()


def test_triggers_its_tasks_under_no_run_of_another(keys, runs):
    restricted = keys("trigger")
    assert restricted.trigger("mine").status_code == 200
    body = {"options": {"parentRunId": runs["other"]}}
    assert restricted.trigger("mine", body).status_code == 403
    changes = {"parentOperations": [{"type": "set", "key": "a", "value": 1}]}
    path = f"/api/v1/runs/{runs['mine']}/metadata"
    assert keys().put(path, changes).status_code == 403


def test_batches_have_its_tasks_alone(api, keys, runs):
    restricted = keys()
    assert batch(restricted, "mine", "beside").json()["sealed"]
    assert batch(restricted, "mine", "other").status_code == 403
    foreign = batch(api, "mine", "other").json()["id"]
    for path in (f"/api/v2/batches/{foreign}", f"/api/v1/batches/{foreign}/results"):
        assert restricted.get(path).status_code == 403
    # what was said when it was opened is no promise
    opened = restricted.post("/api/v3/batches", {"runCount": 1, "taskIdentifiers": ["mine"]})
    line = b'{"index": 0, "task": "other"}'
    path = f"/api/v3/batches/{opened.json()['id']}/items"
    sent = restricted.client.post(
        path, line, content_type="application/x-ndjson", headers=restricted.headers
    )
    assert sent.status_code == 403
    assert not Run.objects.filter(batch_id=opened.json()["id"]).exists()


def test_bulk_actions_name_its_tasks_or_its_runs(keys, runs):
    restricted, path = keys(), "/api/v1/bulk-actions"
    mine = {"action": "cancel", "filter": {"taskIdentifier": "mine"}}
    assert restricted.post(path, mine).status_code == 202
    assert restricted.post(path, {"action": "cancel", "runIds": [runs["mine"]]}).status_code == 202
    both = {"action": "cancel", "runIds": list(runs.values())}
    assert restricted.post(path, both).status_code == 403


def test_its_public_tokens_may_no_more_than_itself(keys, runs):
    key, text = apikeys.create("signer", actor="cli:x", role="operator", tasks=["mine"])
    token = Api(signed(text, "read:runs", "read:tasks", "write:runs", "trigger:tasks", key=key))
    assert token.get(f"/api/v3/runs/{runs['mine']}").status_code == 200
    assert token.get(f"/api/v3/runs/{runs['other']}").status_code == 403
    assert token.trigger("mine").status_code == 200
    assert token.trigger("other").status_code == 403
    assert [one["id"] for one in token.get("/api/v1/runs").json()["data"]][-1] == runs["mine"]


def test_a_key_that_triggers_reads_nothing_and_signs_what_it_may(keys, runs):
    api = keys("trigger", tasks=())
    assert api.trigger("mine").status_code == 200
    assert batch(api, "mine", "other").json()["sealed"]
    for answer in (api.get("/api/v1/runs"), api.post(f"/api/v2/runs/{runs['mine']}/cancel")):
        assert answer.status_code == 403
    tokens = "/api/v1/auth/public-tokens"
    assert api.post(tokens, {"scopes": ["trigger:tasks:mine"]}).status_code == 200
    assert api.post(tokens, {"scopes": ["read:runs"]}).status_code == 403
    assert api.post("/api/v1/auth/jwt/claims").status_code == 200


def test_a_key_for_variables_does_nothing_else(keys):
    api, path = keys("variables", tasks=()), "/api/v1/projects/p/envvars/dev"
    assert api.post(path, {"name": "A", "value": "1"}).status_code == 200
    assert api.get(path).status_code == 200
    assert {api.get("/api/v1/runs").status_code, api.trigger("mine").status_code} == {403}
    assert keys("operator", tasks=()).get(path).status_code == 403


def test_what_makes_no_restricted_key(keys):
    for role, tasks in (("admin", ["a"]), ("viewer", [""]), ("viewer", list("abcdefghijk"))):
        with pytest.raises(apikeys.InvalidOption) as caught:
            keys(role, tasks)
        assert caught.value.option == "tasks"
    keys("viewer", ["a", "a"])
    assert json.loads(ApiKey.objects.get().tasks) == ["a"]
    made = AuditLog.objects.filter(action="apikey.create", target__startswith="viewer")
    assert "a" in json.loads(made.get().data)["tasks"]


def test_a_token_of_another_deployment_is_refused(keys, runs):
    key = ApiKey(pk=10**9)
    foreign = publictokens.sign(key, "x" * 40, ["admin"], expires_at=time.time() + 60)
    assert Api(foreign).get("/api/v1/runs").status_code == 401
