import pytest

from runs.lifecycle import apikeys
from runs.models import AuditLog, ErrorGroup
from tests.dashboard.api.conftest import Api
from tests.support.failing import error, failed_run, group_of

PATH = "/api/v1/errors"


@pytest.fixture
def group(db):
    return group_of(failed_run(error("order 7 has no card")))


def ids(answer):
    assert answer.status_code == 200, answer.content
    return [one["id"] for one in answer.json()["data"]]


def test_a_list_of_errors(api, group):
    answer = api.get(PATH).json()
    (one,) = answer["data"]
    assert one["id"] == f"error_{group.pk}"
    assert (one["errorType"], one["errorMessage"]) == ("ValueError", "order 7 has no card")
    assert (one["count"], one["status"], one["taskIdentifier"]) == (1, "unresolved", "send")
    assert one["lastRunId"] == group.last_run_id
    assert answer["pagination"] == {}


FILTERS = {
    "filter[status]": ("unresolved", "ignored"),
    "filter[taskIdentifier]": ("send", "other"),
    "filter[version]": ("1", "2"),
    "filter[search]": ("card", "nothing"),
    "filter[period]": ("1d", None),
    "filter[from]": ("1000", "99999999999999"),
    "filter[to]": ("99999999999999", "1000"),
}


def test_filters(api, group):
    for name, (fits, other) in FILTERS.items():
        assert ids(api.get(PATH, **{name: fits})), name
        assert other is None or not ids(api.get(PATH, **{name: other})), name


@pytest.mark.parametrize("wrong", [{"filter[status]": "open"}, {"filter[period]": "soon"}, {"x": "1"}, {"page[after]": "error_zz"}, {"page[after]": "error_00"}])  # fmt: skip
def test_nonsense_is_a_400(api, wrong):
    assert api.get(PATH, **wrong).status_code == 400


def test_pages(api, db):
    for number in range(3):
        run = failed_run(error(f"{'abc'[number] * 3} is missing"))
    group_of(run)
    every = ids(api.get(PATH))
    first = api.get(PATH, **{"page[size]": "2"})
    assert ids(first) == every[:2]
    after = first.json()["pagination"]["next"]
    second = api.get(PATH, **{"page[size]": "2", "page[after]": after})
    assert ids(second) == every[2:]
    before = second.json()["pagination"]["previous"]
    assert ids(api.get(PATH, **{"page[size]": "2", "page[before]": before})) == every[:2]


def test_resolve_and_unresolve(api, group):
    body = {"resolvedInVersion": "9", "reason": "mended"}
    told = api.post(f"{PATH}/error_{group.pk}/resolve", body).json()
    assert (told["status"], told["resolvedInVersion"]) == ("resolved", "9")
    assert (told["changedBy"], told["resolvedAt"]) == ("key:tests", told["resolvedAt"])
    assert AuditLog.objects.filter(action="error.resolved", actor="key:tests").exists()
    told = api.post(f"{PATH}/error_{group.pk}/unresolve").json()
    assert (told["status"], "resolvedAt" in told) == ("unresolved", False)


def test_ignore(api, group):
    body = {"duration": 86_400_000, "occurrenceRate": 0.5, "totalOccurrences": 9}
    told = api.post(f"{PATH}/error_{group.pk}/ignore", body).json()
    assert (told["status"], told["ignoredUntilOccurrenceRate"]) == ("ignored", 0.5)
    assert told["ignoredUntilTotalOccurrences"] == 10
    assert ErrorGroup.objects.get().ignored_rate == 30
    assert api.post(f"{PATH}/error_{group.pk}/ignore", {}).status_code == 200


@pytest.mark.parametrize("body", [{"duration": 0}, {"occurrenceRate": -1}, {"x": 1}, {"totalOccurrences": 10**12}, {"duration": 10**18}, {"reason": "x" * 501}])  # fmt: skip
def test_ignoring_nonsense_is_a_400(api, group, body):
    assert api.post(f"{PATH}/error_{group.pk}/ignore", body).status_code in {400, 422}
    assert ErrorGroup.objects.get().status == "unresolved"


def test_an_error_that_is_not_there(api, db):
    assert api.get(f"{PATH}/error_feed").status_code == 404
    assert api.post(f"{PATH}/error_feed/resolve", {}).status_code == 404


def test_viewers_decide_nothing(group):
    viewer = Api(apikeys.create("looks", actor="cli:tests", role="viewer")[1])
    assert viewer.get(f"{PATH}/error_{group.pk}").status_code == 200
    assert viewer.post(f"{PATH}/error_{group.pk}/resolve", {}).status_code == 403


def test_keys_of_other_tasks_see_nothing(group):
    made = apikeys.create("other", actor="cli:tests", role="operator", tasks=["bill"])[1]
    assert ids(Api(made).get(PATH)) == []
    assert Api(made).get(f"{PATH}/error_{group.pk}").status_code == 403


def test_messages_are_hidden_from_keys_that_may_not_read(group):
    made = apikeys.create("blind", actor="cli:tests", payloads="none")[1]
    told = Api(made).get(f"{PATH}/error_{group.pk}").json()
    assert told["errorMessage"].startswith("Hidden")
    assert ids(Api(made).get(PATH, **{"filter[search]": "card"})) == []


def test_runs_of_an_error(api, group):
    other = failed_run(error("something else"))
    found = ids(api.get("/api/v1/runs", **{"filter[error]": f"error_{group.pk}"}))
    assert found == [group.last_run_id]
    assert other.pk not in found
