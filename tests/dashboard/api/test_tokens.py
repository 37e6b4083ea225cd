import json

import pytest

from runs.lifecycle import tokens
from runs.models import Waitpoint

pytestmark = pytest.mark.django_db
PATH = "/api/v1/waitpoints/tokens"


def test_makes_a_token_and_finds_it_by_its_key(api):
    asked = {"timeout": "1h", "tags": ["a"], "idempotencyKey": "k", "idempotencyKeyTTL": "1d"}
    made = api.post(PATH, asked).json()
    assert made["isCached"] is False
    assert made["url"].endswith(tokens.signature(made["id"]))
    again = api.post(PATH, asked).json()
    assert (again["id"], again["isCached"]) == (made["id"], True)
    token = Waitpoint.objects.get()
    assert (token.tag_list, (token.timeout_at - token.created_at).total_seconds()) == (["a"], 3600)


def test_everything_may_be_left_out(api):
    made = api.post(PATH, {}).json()
    assert Waitpoint.objects.get(pk=made["id"]).timeout_at is None


def test_completes_once_and_says_so_each_time(api):
    token = tokens.create()[0]
    for data in ({"a": 1}, {"a": 2}):
        answer = api.post(f"{PATH}/{token.pk}/complete", {"data": data})
        assert answer.json() == {"success": True}
    found = api.get(f"{PATH}/{token.pk}").json()
    assert (found["status"], json.loads(found["output"])) == ("COMPLETED", {"a": 1})
    assert found["outputIsError"] is False
    assert Waitpoint.objects.get().completed_by == "key:tests"


def test_a_time_out_is_an_error_as_output(api):
    token = tokens.create()[0]
    tokens.time_out(token.pk, actor="user:ada")
    found = api.get(f"{PATH}/{token.pk}").json()
    assert (found["status"], found["outputIsError"]) == ("TIMED_OUT", True)
    assert json.loads(found["output"])["code"] == "TRIGGER_WAITPOINT_TIMEOUT"


def test_lists_newest_first_by_filter_and_page(api):
    first, second, third = (tokens.create(tags=[tag])[0].pk for tag in "aab")
    tokens.complete(first, "1", by="url")
    assert [one["id"] for one in api.get(PATH).json()["data"]] == [third, second, first]
    found = api.get(PATH, **{"filter[status]": "WAITING", "filter[tags]": "a"}).json()
    assert [one["id"] for one in found["data"]] == [second]
    page = api.get(PATH, **{"page[size]": "2"}).json()
    assert [one["id"] for one in page["data"]] == [third, second]
    rest = api.get(PATH, **{"page[size]": "2", "page[after]": page["pagination"]["next"]}).json()
    assert [one["id"] for one in rest["data"]] == [first]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (PATH, {"timeout": "soon"}, 400),
        (PATH, {"timeout": -1}, 400),
        (PATH, {"tags": [str(n) for n in range(11)]}, 422),
        (PATH, {"color": "red"}, 400),
        (PATH, {"idempotencyKey": ""}, 400),
        (f"{PATH}/waitpoint_none/complete", {"data": 1}, 404),
        (f"{PATH}/run_1/complete", {"data": 1}, 404),
    ],
)
def test_refuses_with_a_sentence(api, path, body, status):
    answer = api.post(path, body)
    assert (answer.status_code, bool(answer.json()["error"])) == (status, True)


def test_lists_a_window_of_time(api, time_machine):
    time_machine.move_to("2030-01-01T12:00:00Z", tick=False)
    old = api.post(PATH).json()["id"]
    time_machine.move_to("2030-01-03T12:00:00Z", tick=False)
    new = api.post(PATH).json()["id"]
    second = "1893585600000"  # 2030-01-02T12:00Z

    def listed(**query):
        return [one["id"] for one in api.get(PATH, **query).json()["data"]]

    assert listed() == [new, old]
    assert listed(**{"filter[createdAt][period]": "1d"}) == [new]
    assert listed(**{"filter[createdAt][from]": second}) == [new]
    assert listed(**{"filter[createdAt][to]": second}) == [old]


@pytest.mark.parametrize(
    "query",
    [
        {"filter[status]": "DONE"},
        {"filter[x]": "1"},
        {"page[after]": "x"},
        {"filter[createdAt][from]": "x"},
    ],
)
def test_refuses_unknown_filters(api, query):
    assert api.get(PATH, **query).status_code == 400


def test_needs_a_key(client):
    assert client.get(PATH).status_code == 401
    assert client.post(PATH, {}, content_type="application/json").status_code == 401
