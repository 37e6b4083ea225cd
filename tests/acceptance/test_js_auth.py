"""The reference's client makes public tokens, and others use them, at a real web server and cluster."""

import pytest

from runs.lifecycle import apikeys
from tests.support.client import Refused

pytestmark = pytest.mark.acceptance


def refused(status, js, *arguments):
    with pytest.raises(Refused) as raised:
        js("auth.using", *arguments)
    assert raised.value.status in {status, None}, raised.value
    return raised.value.message


def test_a_token_reads_what_its_scopes_name(js, calm):
    made = js("runs.trigger", "work", {}, {"tags": ["user:1"]})
    calm.accepted.append(made["id"])
    handle = made["publicAccessToken"]
    by_tag = js("auth.token", {"scopes": {"read": {"tags": "user:1"}}, "expirationTime": "1h"})
    for token in (handle, by_tag):
        assert js("auth.using", token, "runs.retrieve", made["id"])["id"] == made["id"]
        assert "Unauthorized" in refused(403, js, token, "tasks.trigger", "work", {})
        assert "secret key" in refused(401, js, token, "runs.replay", made["id"])
    calm.completed(made["id"])


def test_a_token_for_one_use_triggers_once(js, calm):
    token = js("auth.triggerToken", "work")
    made = js("auth.using", token, "tasks.trigger", "work", {})
    calm.completed(made["id"])
    assert "one use" in refused(422, js, token, "tasks.trigger", "work", {})
    again = js("auth.triggerToken", "work", {"multipleUse": True})
    calm.accepted += [
        made["id"],
        *(js("auth.using", again, "tasks.trigger", "work", {})["id"] for _ in range(2)),
    ]


def test_a_token_for_one_use_makes_a_batch_with_its_items(js, calm):
    token = js("auth.batchToken", "work")
    items = [{"payload": {"n": 1}}, {"payload": {"n": 2}}]
    made = js("auth.using", token, "tasks.batchTrigger", "work", items)
    told = js("auth.using", made["publicAccessToken"], "batch.retrieve", made["batchId"])
    assert (told["runCount"], len(told["runs"])) == (2, 2)
    calm.accepted += told["runs"]
    assert "one use" in refused(422, js, token, "tasks.batchTrigger", "work", items)


def test_a_token_ends_with_its_time_and_with_its_key(js, web, calm):
    row, text = apikeys.create("js", actor="cli:tests")
    headers = {"authorization": f"Bearer {text}"}
    body = {"scopes": ["read:runs"], "expirationTime": "1h"}
    made = web.request("POST", "/api/v1/auth/public-tokens", json=body, headers=headers)
    token = made.json()["token"]
    assert js("auth.using", token, "runs.list")["data"] is not None
    apikeys.revoke_one(row.pk, actor="cli:tests")
    assert "revoked" in refused(401, js, token, "runs.list")
