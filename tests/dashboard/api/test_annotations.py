"""Metadata and tags from outside (features.md ME-8, ME-12, TA-2, TA-3)."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from runs.ids import new_id
from runs.models import AuditLog, Run, RunTag
from tests.support import rows

pytestmark = pytest.mark.django_db


def put(api, run_id, body):
    path = f"/api/v1/runs/{run_id}/metadata"
    data = json.dumps(body)
    return api.client.put(path, data, content_type="application/json", headers=api.headers)


def metadata_of(run):
    return json.loads(Run.objects.get(pk=run.pk).metadata)


def test_metadata_is_replaced_and_read(api):
    run = rows.queued_run(metadata='{"old": 1}')
    assert put(api, run.pk, {"metadata": {"n": 1}}).json() == {"metadata": {"n": 1}}
    assert put(api, run.pk, {"metadata": '{"n": 2}'}).json() == {"metadata": {"n": 2}}
    assert api.get(f"/api/v1/runs/{run.pk}/metadata").json() == {"metadata": {"n": 2}}
    assert AuditLog.objects.filter(action="run.metadata", actor="key:tests").count() == 2


def test_operations_reach_the_run_its_parent_and_its_root(api):
    root = rows.queued_run()
    parent = rows.queued_run(parent_id=root.pk)
    child = rows.queued_run(parent_id=parent.pk)
    increment = {"type": "increment", "key": "n", "value": 1}
    body = {
        "metadata": {"ignored": True},
        "operations": [{"type": "append", "key": "$.log", "value": "a"}],
        "parentOperations": [increment],
        "rootOperations": [increment, increment],
    }
    assert put(api, child.pk, body).json() == {"metadata": {"log": ["a"]}}
    assert (metadata_of(parent), metadata_of(root)) == ({"n": 1}, {"n": 2})


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"metadata": [1]}, 400),
        ({"metadata": "[1]"}, 400),
        ({"metadata": "{"}, 400),
        ({"color": 1}, 400),
        ({"operations": [{"type": "twist", "key": "a"}]}, 400),
        ({"operations": [{"type": "set", "key": "__proto__", "value": 1}]}, 400),
        ({"operations": ["set"]}, 400),
        ({"metadata": {"a": "x" * 300_000}}, 413),
    ],
)
def test_refuses_with_a_sentence(api, body, status):
    run = rows.queued_run(metadata='{"n": 1}')
    answer = put(api, run.pk, body)
    assert (answer.status_code, bool(answer.json()["error"])) == (status, True)
    assert metadata_of(run) == {"n": 1}


def test_an_hour_after_its_end_a_run_is_closed(api):
    run = rows.completed_run()
    assert put(api, run.pk, {"metadata": {"late": 1}}).status_code == 200
    Run.objects.filter(pk=run.pk).update(finished_at=timezone.now() - timedelta(minutes=61))
    answer = put(api, run.pk, {"metadata": {"late": 2}})
    assert answer.status_code == 422
    assert answer.json() == {"error": "Cannot update metadata for a completed run."}


def test_tags_are_added_all_or_none(api):
    run = rows.queued_run(tags=("a",))
    path = f"/api/v1/runs/{run.pk}/tags"
    assert "a, b" in api.post(path, {"tags": "b"}).json()["message"]
    assert api.post(path, {"tags": ["b", "c"]}).status_code == 200
    assert api.post(path, {"tags": [f"t{n}" for n in range(8)]}).status_code == 422
    assert api.post(path, {"tags": ["x" * 129]}).status_code == 400
    assert api.post(path, {"tags": 3}).status_code == 400
    assert Run.objects.get(pk=run.pk).tag_list == ["a", "b", "c"]
    assert set(RunTag.objects.values_list("tag", flat=True)) == {"a", "b", "c"}
    assert AuditLog.objects.filter(action="run.tags").count() == 2


def test_an_unknown_run_is_a_404_and_a_key_is_needed(api, client):
    run = rows.queued_run()
    assert put(api, new_id("run"), {"metadata": {}}).status_code == 404
    assert api.post(f"/api/v1/runs/{new_id('run')}/tags", {"tags": "a"}).status_code == 404
    assert client.get(f"/api/v1/runs/{run.pk}/metadata").status_code == 401
    assert api.post(f"/api/v1/runs/{run.pk}/metadata", {"metadata": {}}).status_code == 405
