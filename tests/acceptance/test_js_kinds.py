"""The reference's client and what there is beside runs: schedules, queues, tokens, variables."""

import json
from datetime import UTC, datetime

import pytest

from runs.lifecycle import apikeys, envvars, tokens
from runs.models import EnvVar, Queue, Schedule
from tests.support.client import JavaScript, Refused

pytestmark = pytest.mark.acceptance
DAILY = {"task": "work", "cron": "0 5 * * *", "deduplicationKey": "daily"}


def refused(js, call, *arguments):
    """The class and the status of what the client throws."""
    with pytest.raises(Refused) as found:
        js(call, *arguments)
    return found.value.kind, found.value.status


def moment(text):
    return datetime.fromisoformat(text)


def test_schedules_are_made_changed_and_deleted(js):
    made = js("schedules.create", {**DAILY, "timezone": "Europe/Zurich", "window": "30m"})
    assert made["generator"] == {
        "type": "CRON",
        "expression": "0 5 * * *",
        "description": "At 05:00 every day, Europe/Zurich time",
    }
    assert (made["active"], made["window"], made["type"]) == (True, "30m", "IMPERATIVE")
    assert moment(made["nextRun"]) <= moment(made["nextRunEffectiveAt"])
    again = js("schedules.create", {**DAILY, "externalId": "user_1"})
    assert (again["id"], again["timezone"], "window" in again) == (made["id"], "UTC", False)
    assert moment(again["nextRun"]).astimezone(UTC).hour == 5
    assert js("schedules.retrieve", made["id"]) == again

    changed = js("schedules.update", made["id"], {"task": "work", "cron": "0 6 * * *"})
    assert (changed["deduplicationKey"], "externalId" in changed) == ("daily", False)
    off = js("schedules.deactivate", made["id"])
    assert (off["active"], off.get("nextRun")) == (False, None)
    assert js("schedules.activate", made["id"])["active"] is True
    page = js("schedules.list", {"page": 1, "perPage": 1})
    assert [one["id"] for one in page["data"]] == [made["id"]]
    assert page["pagination"] == {"currentPage": 1, "totalPages": 1, "count": 1}
    assert js("schedules.del", made["id"]) == {"id": made["id"]}
    assert not Schedule.objects.exists()


def test_what_is_wrong_with_a_schedule_is_told_at_once(js):
    wrong = ({"cron": "0 0 0 * *"}, {"timezone": "Mars/Olympus"}, {"task": "nobody"})
    for change in wrong:
        kind = refused(js, "schedules.create", {**DAILY, **change})
        assert kind == ("UnprocessableEntityError", 422)
    assert refused(js, "schedules.retrieve", "sched_none") == ("NotFoundError", 404)
    assert not Schedule.objects.exists()


def test_time_zones_need_no_key(js):
    found = js("schedules.timezones")["timezones"]
    assert {"UTC", "Asia/Kolkata"} <= set(found)
    assert "UTC" not in js("schedules.timezones", {"excludeUtc": True})["timezones"]


def test_queues_are_paused_and_limited(js):
    Queue.objects.create(name="a/b c", concurrency_limit=5)
    by_name = {"type": "custom", "name": "a/b c"}
    found = js("queues.retrieve", by_name)
    assert (found["name"], found["type"], found["concurrencyLimit"]) == ("a/b c", "custom", 5)
    assert js("queues.retrieve", found["id"]) == found
    own = js("queues.retrieve", {"type": "task", "name": "work"})
    assert (own["name"], own["type"], own["concurrencyLimit"]) == ("work", "task", None)
    assert js("queues.pause", by_name)["paused"] is True
    assert js("queues.resume", by_name)["paused"] is False
    limited = js("queues.override", by_name, 2)
    assert limited["concurrencyLimit"] == 2
    assert (limited["concurrency"]["base"], limited["concurrency"]["override"]) == (5, 2)
    assert js("queues.reset", by_name)["concurrency"]["overriddenAt"] is None
    assert refused(js, "queues.reset", by_name) == ("BadRequestError", 400)
    assert refused(js, "queues.pause", "queue_0") == ("NotFoundError", 404)
    page = js("queues.list", {"page": 1, "perPage": 100})
    assert found["id"] in [one["id"] for one in page["data"]]
    Queue.objects.get(name="a/b c").delete()


def test_tokens_are_completed_by_call_and_by_address(js):
    asked = {"timeout": "1h", "tags": ["js"], "idempotencyKey": "k", "idempotencyKeyTTL": "1d"}
    made = js("tokens.create", asked)
    again = js("tokens.create", asked)
    assert (again["id"], made["isCached"], again["isCached"]) == (made["id"], False, True)
    waiting = js("tokens.retrieve", made["id"])
    assert (waiting["status"], waiting["tags"], waiting["url"]) == ("WAITING", ["js"], made["url"])
    for data in ({"answer": 42}, {"answer": 43}):
        assert js("tokens.complete", made["id"], data) == {"success": True}
    ended = js("tokens.retrieve", made["id"])
    assert (ended["status"], ended["output"]) == ("COMPLETED", {"answer": 42})

    called = js("tokens.create", {"tags": ["js"]})
    done = {"status": 200, "body": {"success": True}}
    assert js("tokens.callback", called["url"], '{"paid": true}') == done
    assert js("tokens.retrieve", called["id"])["output"] == {"paid": True}
    assert js("tokens.callback", called["url"][:-1] + "x", "{}")["status"] == 401
    late = js("tokens.create")
    tokens.time_out(late["id"], actor="user:test")
    timed_out = js("tokens.retrieve", late["id"])
    assert (timed_out["status"], "in time" in json.dumps(timed_out)) == ("TIMED_OUT", False)

    listed = js("tokens.list", {"tags": ["js"], "limit": 1})
    assert [one["id"] for one in listed] == [called["id"], made["id"]]
    assert js("tokens.list", {"status": "TIMED_OUT"})[0]["id"] == late["id"]
    assert refused(js, "tokens.create", {"tags": [str(n) for n in range(11)]})[1] == 422
    assert refused(js, "tokens.complete", "waitpoint_none", {})[1] == 404


def test_variables_are_set_and_secrets_stay_hidden(js):
    here = ("proj_tests", "dev")
    done = {"success": True}
    try:
        assert js("envvars.create", *here, {"name": "JS_A", "value": "1"}) == done
        upload = {"variables": {"JS_B": "hush"}, "isSecret": True, "override": True}
        assert js("envvars.upload", *here, upload) == done
        assert js("envvars.list", *here) == [
            {"name": "JS_A", "value": "1", "isSecret": False},
            {"name": "JS_B", "value": "<redacted>", "isSecret": True},
        ]
        assert js("envvars.update", *here, "JS_A", {"value": "2"}) == done
        assert js("envvars.retrieve", *here, "JS_A")["value"] == "2"
        assert envvars.loaded().values == {"JS_A": "2", "JS_B": "hush"}
        assert js("envvars.del", *here, "JS_A") == done
        assert refused(js, "envvars.retrieve", *here, "JS_A") == ("NotFoundError", 404)
        assert refused(js, "envvars.list", "proj_tests", "prod") == ("NotFoundError", 404)
        wrong = {"name": "A B", "value": "1"}
        assert refused(js, "envvars.create", *here, wrong) == ("BadRequestError", 400)
    finally:
        EnvVar.objects.all().delete()


def test_a_wrong_key_reaches_nothing_but_the_time_zones(web):
    stranger = JavaScript(web.url, "tr_dev_" + "x" * 40)
    try:
        for call in (("schedules.list",), ("queues.list",), ("tokens.create",)):
            assert refused(stranger, *call) == ("AuthenticationError", 401)
        assert refused(stranger, "envvars.list", "p", "dev") == ("AuthenticationError", 401)
        assert stranger("schedules.timezones")["timezones"]
    finally:
        stranger.close()
    assert apikeys.verify("tr_dev_" + "x" * 40) is None
