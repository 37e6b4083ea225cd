import json
from datetime import UTC, datetime

import pytest
from django.test import Client

from runs.lifecycle import schedules
from runs.lifecycle.schedules import Timetable
from runs.models import AuditLog, Schedule
from tests.support.factories import task
from tests.support.schedules import schedule

pytestmark = pytest.mark.django_db
PATH = "/api/v1/schedules"
DAILY = {"task": "report", "cron": "0 5 * * *", "deduplicationKey": "daily"}
STRICT = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}


@pytest.fixture(autouse=True)
def _clock(time_machine):
    time_machine.move_to("2030-01-01T09:10:00Z", tick=False)


@pytest.fixture(autouse=True)
def _task(db):
    task("report")


def declared():
    schedules.declare({"report": Timetable(task_id="report", cron="0 * * * *")}, [])
    return Schedule.objects.declared().get()


def test_makes_one_and_tells_all_of_it(api):
    asked = {**DAILY, "externalId": "user_1", "timezone": "Europe/Zurich", "window": "1h"}
    told = api.post(PATH, asked).json()
    row = Schedule.objects.get()
    assert told == {
        "id": row.pk,
        "type": "IMPERATIVE",
        "task": "report",
        "active": True,
        "deduplicationKey": "daily",
        "externalId": "user_1",
        "generator": {
            "type": "CRON",
            "expression": "0 5 * * *",
            "description": "At 05:00 every day, Europe/Zurich time",
        },
        "timezone": "Europe/Zurich",
        "window": "1h",
        "catchUp": "skip",
        "nextRun": "2030-01-02T04:00:00.000Z",
        "nextRunEffectiveAt": told["nextRunEffectiveAt"],
        "environments": [{"id": "env_dev", "type": "DEVELOPMENT"}],
    }
    assert "2030-01-02T04:00" <= told["nextRunEffectiveAt"] < "2030-01-02T05:00"
    assert AuditLog.objects.get(action="schedule.create").actor == "key:tests"


def test_leaves_out_what_is_not_set(api):
    told = api.post(PATH, DAILY).json()
    assert told["timezone"] == "UTC"
    assert not {"externalId", "window", "overlap"} & told.keys()
    assert None not in told.values()


@pytest.mark.parametrize(
    ("window", "told"),
    [
        ("30m", "30m"), ("2h", "2h"), ("50%", "50%"), ("1h30m", "90m"), ("90s", "2m"), ("5s", "1m"),
        ("1d", "1440m"), ("12.5%", "12%"), ("0.01%", "1%"), ("0m", None), ("0%", None), ("", None),
    ],
)  # fmt: skip
def test_a_window_is_told_as_clients_read_it(api, window, told):
    assert api.post(PATH, {**DAILY, "window": window}).json().get("window") == told


def test_the_same_key_changes_the_same_one(api):
    first = api.post(PATH, {**DAILY, "externalId": "a", "overlap": "skip"}).json()
    again = api.post(PATH, {**DAILY, "cron": "0 6 * * *"}).json()
    assert (again["id"], again["generator"]["expression"]) == (first["id"], "0 6 * * *")
    assert ("externalId" in again, again["overlap"]) == (False, "skip")
    assert Schedule.objects.count() == 1


def test_lists_by_page(api):
    made = [schedule(key=str(n)).pk for n in range(3)]
    first = api.get(PATH, perPage="2").json()
    assert [one["id"] for one in first["data"]] == [made[2], made[1]]
    assert first["pagination"] == {"currentPage": 1, "totalPages": 2, "count": 3}
    second = api.get(PATH, perPage="2", page="2").json()
    assert [one["id"] for one in second["data"]] == [made[0]]
    assert second["data"][0] == api.get(f"{PATH}/{made[0]}").json()
    assert api.get(PATH, page="9").json()["data"] == []


def test_updates(api):
    made = schedule(key="k", external_id="a", timezone="Asia/Tokyo", catch_up="all")
    told = api.put(f"{PATH}/{made.pk}", {"task": "report", "cron": "@hourly"}).json()
    assert (told["id"], told["timezone"], told["catchUp"]) == (made.pk, "UTC", "all")
    assert (told["deduplicationKey"], "externalId" in told) == ("k", False)
    assert told["nextRun"] == "2030-01-01T10:00:00.000Z"


def test_switches_off_and_on(api):
    made = schedule()
    told = api.post(f"{PATH}/{made.pk}/deactivate").json()
    assert (told["active"], "nextRun" in told, "nextRunEffectiveAt" in told) == (False,) * 3
    assert api.post(f"{PATH}/{made.pk}/deactivate").status_code == 200
    assert api.post(f"{PATH}/{made.pk}/activate", {"reason": "again"}).json()["active"] is True
    assert AuditLog.objects.first().reason == "again"


@pytest.mark.parametrize("body", [{"why": "x"}, {"reason": 1}, b"[]", {"reason": "\x00"}])
def test_refuses_odd_reasons(api, body):
    made = schedule()
    assert api.post(f"{PATH}/{made.pk}/deactivate", body).status_code == 400
    assert Schedule.objects.get().active


def test_deletes(api):
    made = schedule()
    assert api.delete(f"{PATH}/{made.pk}").json() == {"id": made.pk}
    assert api.delete(f"{PATH}/{made.pk}").status_code == 404


def test_what_the_code_declares_is_changed_by_the_code_alone(api):
    row = declared()
    assert api.get(f"{PATH}/{row.pk}").json()["type"] == "DECLARATIVE"
    answers = [
        api.put(f"{PATH}/{row.pk}", {"task": "report", "cron": "0 1 * * *"}),
        api.post(f"{PATH}/{row.pk}/deactivate"),
        api.post(f"{PATH}/{row.pk}/activate"),
        api.delete(f"{PATH}/{row.pk}"),
    ]
    assert {answer.status_code for answer in answers} == {422}
    assert "declared with task" in answers[0].json()["error"]
    row.refresh_from_db()
    assert (row.cron, row.active) == ("0 * * * *", True)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"cron": "* * *"}, "5 fields"),
        ({"cron": "0 0 5 * * *"}, "Seconds are not allowed"),
        ({"cron": "0 0 31 2 *"}, "its months must have it"),
        ({"timezone": "Mars/Olympus"}, "there is no 'Mars/Olympus'"),
        ({"task": "nobody"}, "No cluster has registered"),
        ({"task": "strict"}, "does not take a schedule's payload"),
        ({"window": "25h"}, "window is a duration"),
        ({"overlap": "maybe"}, "overlap is one of"),
        ({"catchUp": "some"}, "catch_up is one of"),
        ({"deduplicationKey": ""}, "must not be empty"),
        ({"externalId": "x" * 256}, "at most 255"),
    ],
)
def test_what_makes_no_schedule_is_a_422(api, wrong, problem):
    task("strict", schema=json.dumps(STRICT))
    answer = api.post(PATH, {**DAILY, **wrong})
    assert (answer.status_code, Schedule.objects.count()) == (422, 0)
    assert problem in answer.json()["error"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{", b"null", {}, {"task": "report", "cron": "0 5 * * *"}, {**DAILY, "cron": 5},
        {**DAILY, "task": None}, {**DAILY, "color": "red"}, {**DAILY, "cron": "0 5 * * *\x00"},
        {**DAILY, "environments": ["prod"]},
    ],
)  # fmt: skip
def test_a_body_of_the_wrong_form_is_a_400(api, body):
    answer = api.post(PATH, body)
    assert (answer.status_code, Schedule.objects.count()) == (400, 0)
    assert answer.json()["error"]


@pytest.mark.parametrize("name", ["sched_none", "x", "%00", "a%2Fb", "x" * 500, "%F0%9F%98%80"])
def test_an_unknown_id_is_a_404(api, name):
    asked = {"task": "report", "cron": "0 5 * * *"}
    answers = [
        api.get(f"{PATH}/{name}"),
        api.put(f"{PATH}/{name}", asked),
        api.delete(f"{PATH}/{name}"),
        api.post(f"{PATH}/{name}/activate"),
        api.post(f"{PATH}/{name}/deactivate"),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert all(answer.json()["error"] for answer in answers)


def test_one_whose_time_zone_is_gone_is_still_told(api):
    made = schedule()
    Schedule.objects.filter(pk=made.pk).update(
        timezone="Gone/Away", next_at=datetime(2030, 1, 1, 10, tzinfo=UTC)
    )
    assert api.get(PATH).json()["data"][0]["nextRun"] == "2030-01-01T10:00:00.000Z"


def test_time_zones_need_no_key(db):
    found = Client().get("/api/v1/timezones").json()["timezones"]
    assert {"UTC", "Europe/Zurich", "Asia/Kolkata"} <= set(found)
    assert found == sorted(found)
    rest = Client().get("/api/v1/timezones", {"excludeUtc": "true"}).json()["timezones"]
    assert not {"UTC", "Etc/UTC", "Zulu"} & set(rest)
    assert "Europe/Zurich" in rest
    for wrong in ({"excludeUtc": "perhaps"}, {"x": "1"}):
        assert Client().get("/api/v1/timezones", wrong).status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", PATH, "GET, POST"),
        ("POST", f"{PATH}/sched_1", "GET, PUT, DELETE"),
        ("GET", f"{PATH}/sched_1/activate", "POST"),
        ("POST", "/api/v1/timezones", "GET"),
    ],
)
def test_another_method_is_a_405(api, method, path, allowed):
    answer = api.send(method, path)
    assert (answer.status_code, answer["allow"]) == (405, allowed)
    assert answer.json()["error"]


def test_needs_a_key(client):
    assert client.get(PATH).status_code == 401
    assert client.post(f"{PATH}/sched_1/activate").status_code == 401
