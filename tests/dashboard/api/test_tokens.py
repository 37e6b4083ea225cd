import json

import pytest

from runs import conf
from runs.lifecycle import tokens
from runs.models import AuditLog, Waitpoint

pytestmark = pytest.mark.django_db
PATH = "/api/v1/waitpoints/tokens"


def test_makes_a_token_and_finds_it_by_its_key(api):
    asked = {"timeout": "1h", "tags": ["a"], "idempotencyKey": "k", "idempotencyKeyTTL": "1d"}
    made = api.post(PATH, asked).json()
    assert made["isCached"] is False
    assert made["url"].endswith(f"{PATH}/{made['id']}/callback/{tokens.signature(made['id'])}")
    assert made["pageUrl"] == tokens.url(made["id"])
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
    (entry,) = AuditLog.objects.filter(action="waitpoint.complete")
    assert (entry.actor, entry.target) == ("key:tests", token.pk)


def test_a_time_out_is_an_error_as_output(api):
    token = tokens.create()[0]
    tokens.time_out(token.pk, actor="user:ada")
    found = api.get(f"{PATH}/{token.pk}").json()
    assert (found["status"], found["outputIsError"]) == ("TIMED_OUT", True)
    assert json.loads(found["output"])["code"] == "TRIGGER_WAITPOINT_TIMEOUT"


def test_fails_once_with_words(api):
    token = tokens.create()[0]
    assert api.post(f"{PATH}/{token.pk}/fail", {"message": ""}).status_code == 400
    for message in ("refused", "again"):
        answer = api.post(f"{PATH}/{token.pk}/fail", {"message": message})
        assert answer.json() == {"success": True}
    found = api.get(f"{PATH}/{token.pk}").json()
    # the reference's clients know no other word for it
    assert (found["status"], found["outputIsError"]) == ("COMPLETED", True)
    assert json.loads(found["output"]) == {"message": "refused"}
    assert len(api.get(PATH, **{"filter[status]": "COMPLETED"}).json()["data"]) == 1
    assert AuditLog.objects.filter(action="waitpoint.fail").count() == 1


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


def address(token, signature=None):
    return f"{PATH}/{token.pk}/callback/{signature or tokens.signature(token.pk)}"


@pytest.mark.parametrize(
    ("kind", "sent", "output"),
    [
        ("application/json", b'{"a": [1, 2]}', '{"a": [1, 2]}'),
        ("text/plain", b'"plain"', '"plain"'),
        ("application/x-www-form-urlencoded", b"a=1", "{}"),
        ("application/json", b"", "{}"),
        ("application/json", b"{", "{}"),
        ("application/json", b"\xff", "{}"),
        ("application/json", b"[" * 70 + b"]" * 70, "{}"),
        ("application/json", b"NaN", "{}"),
    ],
)
def test_its_address_completes_it_without_a_key(client, kind, sent, output):
    token = tokens.create()[0]
    answer = client.generic(
        "POST", address(token), sent, content_type=kind, headers={"content-length": str(len(sent))}
    )
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    found = Waitpoint.objects.get()
    assert (found.status, found.output, found.completed_by) == ("COMPLETED", output, "url")


def test_the_first_answer_to_an_address_counts(client):
    token = tokens.create()[0]
    for sent in ("1", "2"):
        answer = client.post(address(token), sent, content_type="application/json")
        assert answer.json() == {"success": True}
    assert Waitpoint.objects.get().output == "1"


def test_an_address_of_a_former_key_goes_on_working(client, settings):
    token = tokens.create()[0]
    given = address(token)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new" * 20, [settings.SECRET_KEY]
    assert client.post(given, "1", content_type="application/json").status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert client.post(given, "1", content_type="application/json").status_code == 401


def test_an_address_proves_itself(client):
    token, other = (tokens.create()[0] for _ in "ab")
    for wrong in ("x", "0" * 64, tokens.signature(other.pk), "%00", "\u00fc"):
        answer = client.post(address(token, wrong), "1", content_type="application/json")
        assert (answer.status_code, answer.json()["error"]) == (
            401,
            "Invalid URL, hash doesn't match",
        )
    assert not Waitpoint.objects.exclude(status="WAITING").exists()
    token.delete()
    assert client.post(address(other), "1", content_type="application/json").status_code == 200
    gone = client.post(
        f"{PATH}/waitpoint_x/callback/{tokens.signature('waitpoint_x')}",
        "1",
        content_type="application/json",
    )
    assert gone.status_code == 404


def test_a_callback_says_how_long_it_is(client, monkeypatch):
    token = tokens.create()[0]
    bare = client.generic("POST", address(token), b"", content_type="application/json")
    assert bare.status_code == 411
    monkeypatch.setitem(conf._known, "PAYLOAD_LIMIT", 10)
    long = client.post(address(token), "[" + "1" * 20 + "]", content_type="application/json")
    assert (long.status_code, Waitpoint.objects.get().status) == (413, "WAITING")
    assert client.get(address(token)).status_code == 405


def test_an_answer_its_schema_refuses_is_a_400(client):
    token = tokens.create(schema='{"type": "integer"}')[0]
    answer = client.post(address(token), '"one"', content_type="application/json")
    assert (answer.status_code, Waitpoint.objects.get().status) == (400, "WAITING")
