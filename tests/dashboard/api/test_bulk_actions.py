"""Bulk actions over HTTP: what is asked, what is told, what is refused."""

from urllib.parse import quote

import pytest

from dashboard.api import bulkactions, errors
from runs import lifecycle
from runs.lifecycle.bulkoptions import BulkOptions
from runs.models import BulkAction, Run
from runs.states import RunStatus
from tests.support.corpora import every, needs_corpora, strings

PATH = "/api/v1/bulk-actions"


def triggered(api, count=1, **options):
    bodies = ({"payload": number, "options": options} for number in range(count))
    return [api.trigger(body=body).json()["id"] for body in bodies]


def begun(api, **body):
    answer = api.post(PATH, body)
    assert answer.status_code == 202, answer.content
    return answer.json()["id"]


def told(api, action_id):
    answer = api.get(f"{PATH}/{action_id}")
    assert answer.status_code == 200
    return answer.json()


def work():
    while lifecycle.go_on_in_bulk():
        continue


def test_one_is_begun_followed_and_found_by_its_runs(api):
    runs = triggered(api, 2, tags=["a"])
    action = begun(api, action="cancel", filter={"tag": "a", "status": "PENDING_VERSION"}, name="x")
    found = told(api, action)
    assert {name: found[name] for name in ("id", "name", "type", "status", "counts")} == {
        "id": action,
        "name": "x",
        "type": "CANCEL",
        "status": "PENDING",
        "counts": {"total": 2, "success": 0, "failure": 0},
    }
    assert not found.keys() & {"completedAt", "problem"}
    work()
    found = told(api, action)
    assert (found["status"], found["counts"]["success"]) == ("COMPLETED", 2)
    assert found["completedAt"] >= found["createdAt"]
    listed = api.get("/api/v1/runs", **{"filter[bulkAction]": action}).json()["data"]
    assert sorted(run["id"] for run in listed) == runs
    assert BulkAction.objects.get().actor == "key:tests"


def test_replays_are_asked_for_by_ids_and_once(api):
    runs = triggered(api, 2)
    asked = {"action": "replay", "runIds": runs, "targetRegion": "us"}
    answers = [api.post(PATH, asked, x_trigger_request_idempotency_key="k") for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    work()
    assert Run.objects.filter(replayed_from_id__in=runs).count() == 2


def test_how_fast_it_goes_is_asked_for(api):
    runs = triggered(api, 4)
    begun(api, action="replay", runIds=runs, spread="2h", canary=2)
    begun(api, action="replay", runIds=runs, spread=240)
    begun(api, action="cancel", runIds=runs, perMinute=0.5, order="newest")
    asked = [BulkOptions.of(row.options) for row in BulkAction.objects.order_by("pk")]
    assert asked == [
        BulkOptions(spread=7200, per_minute=4 / 120, canary=2),
        BulkOptions(spread=240, per_minute=1),
        BulkOptions(per_minute=0.5, newest_first=True),
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [({"perMinute": -1}, "per_minute is 0 to 100,000, not -1."), ({"perMinute": "5"}, "perMinute"),
     ({"perMinute": 1, "spread": "2h"}, "not both"), ({"spread": "soon"}, "spread must be seconds"),
     ({"spread": "31d"}, "spread is 0 to 2,592,000"), ({"canary": 1001}, "canary is 0 to 1,000"),
     ({"canary": 1}, "Only replays take")],
)  # fmt: skip
def test_no_pace_is_refused_with_its_name(api, more, said):
    answer = api.post(PATH, {"action": "cancel", "runIds": ["run_a"]} | more)
    assert answer.status_code == 400
    assert said in answer.json()["error"]
    assert not BulkAction.objects.exists()


def test_an_aborted_one_is_told(api):
    action = begun(api, action="cancel", runIds=triggered(api))
    assert api.post(f"{PATH}/{action}/abort").json() == {"id": action}
    assert api.post(f"{PATH}/{action}/abort").status_code == 200
    work()
    assert told(api, action)["status"] == "ABORTED"
    assert not Run.objects.filter(status=RunStatus.CANCELED).exists()


def test_pages_are_newest_first(api):
    made = [begun(api, action="cancel", runIds=["run_nobody"]) for _ in range(3)]
    page = api.get(PATH, **{"page[size]": 2}).json()
    assert [one["id"] for one in page["data"]] == made[:0:-1]
    rest = api.get(PATH, **{"page[size]": 2, "page[after]": page["pagination"]["next"]}).json()
    assert [one["id"] for one in rest["data"]] == made[:1]
    assert rest["pagination"].keys() == {"previous"}
    assert api.get(PATH, **{"page[after]": "x"}).status_code == 400


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"taskIdentifier": "hello"}, 3),
        ({"taskIdentifier": ["hello", "x"], "isTest": True}, 1),
        ({"isTest": False}, 2),
        ({"version": "v1"}, 1),
        ({"machine": ["micro", "small-2x"]}, 1),
        ({"queue": {"type": "task", "name": "hello"}}, 3),
        ({"queue": [{"type": "custom", "name": "mail"}]}, 0),
        ({"period": "1h"}, 3),
        ({"to": 0}, 0),
        ({"from": "2020-01-01T00:00:00.000Z"}, 3),
        ({"from": 4102444800000}, 0),
        ({"schedule": "sched_x"}, 0),
        ({"batch": "batch_x"}, 0),
        ({"bulkAction": "bulk_x"}, 0),
        ({"status": ["COMPLETED", "FAILED"]}, 0),
        ({"query": "test:yes"}, 1),
        ({"query": "-test:yes after:1h"}, 2),
        ({"query": "before:1h"}, 0),
    ],
)
def test_filters_are_those_of_a_list(api, asked, count):
    triggered(api, lockToVersion="v1")
    triggered(api, test=True)
    triggered(api, machine="micro")
    assert told(api, begun(api, action="cancel", filter=asked))["counts"]["total"] == count


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action": "delete", "runIds": ["run_x"]},
        {"action": "cancel"},
        {"action": "cancel", "runIds": []},
        {"action": "cancel", "runIds": [1]},
        {"action": "cancel", "runIds": [f"run_{n}" for n in range(501)]},
        {"action": "cancel", "runIds": ["run_x"], "filter": {"tag": "a"}},
        {"action": "cancel", "filter": {}},
        {"action": "cancel", "filter": {"tag": [], "batch": "  "}},
        {"action": "cancel", "filter": {"odd": 1}},
        {"action": "cancel", "filter": {"status": "DONE"}},
        {"action": "cancel", "filter": {"machine": "huge"}},
        {"action": "cancel", "filter": {"isTest": "true"}},
        {"action": "cancel", "filter": {"from": "banana"}},
        {"action": "cancel", "filter": {"from": 1e300}},
        {"action": "cancel", "filter": {"to": -1e14}},
        {"action": "cancel", "filter": {"period": "banana"}},
        {"action": "cancel", "filter": {"period": "99999999w"}},
        {"action": "cancel", "filter": {"queue": "mail"}},
        {"action": "cancel", "filter": {"region": "us"}},
        {"action": "cancel", "runIds": ["run_x"], "name": "x" * 256},
        {"action": "cancel", "runIds": ["run_\x00"]},
        {"action": "cancel", "runIds": ["batch_x"]},
        [],
    ],
)
def test_what_is_not_understood_begins_nothing(api, body):
    answer = api.post(PATH, body)
    assert (answer.status_code, bool(answer.json()["error"])) == (400, True), answer.content
    assert not BulkAction.objects.exists()


def test_other_methods_and_nobodys_ids(api):
    assert api.client.delete(PATH, headers=api.headers).status_code == 405
    assert api.client.post(PATH).status_code == 401
    for wrong in ("bulk_nobody", "run_x", "x", quote("bulk_\x00", safe="")):
        assert api.get(f"{PATH}/{wrong}").status_code == 404
        assert api.post(f"{PATH}/{wrong}/abort").status_code == 404


def asked_for(body):
    """What the endpoint does with a body, without a request around it."""
    asked = bulkactions.NewBulkAction.read(body)
    if asked.filter is None:
        lifecycle.begin_bulk("CANCEL", asked.run_ids, name=asked.name, actor="key:x")
    else:
        bulkactions._filter(bulkactions.Chosen.read(asked.filter, "filter")).runs().exists()


def status_of(body):
    try:
        asked_for(body)
    except Exception as error:
        return errors.response(error).status_code
    return 202


@needs_corpora
@pytest.mark.django_db
def test_naughty_strings_wherever_a_text_may_stand():
    def holds(name, text):
        for body in (
            {"action": "cancel", "runIds": [text], "name": text},
            {"action": text, "runIds": ["run_x"]},
            {"action": "cancel", "filter": {"tag": text, "version": text, "batch": text}},
            {"action": "cancel", "filter": {"queue": {"type": "task", "name": text}}},
            *({"action": "cancel", "filter": {one: text}} for one in ("from", "period", "status")),
        ):
            assert status_of(body) in {202, 400}, body

    every(holds, {text: text for text in ["run_" + "0" * 27, "x" * 10_000, *strings()[::5]]})
    work()
