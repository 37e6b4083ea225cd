import json

import pytest
from django.db import OperationalError
from django.utils import timezone

from runs import lifecycle
from runs.ids import RANDOM_BITS, encode, new_id
from runs.models import Run, Source
from runs.states import FINAL, RunStatus

pytestmark = pytest.mark.django_db


def made(payload="1", **options):
    asked = lifecycle.TriggerOptions(**options)
    return lifecycle.trigger("hello", payload, asked, source=Source.API).run_id


def standing(status, **values):
    """A run as the engine would have left it."""
    run_id = made()
    if status in FINAL:
        values["finished_at"] = timezone.now()
    Run.objects.filter(pk=run_id).update(status=status, **values)
    return run_id


def read(api, run_id):
    answer = api.get(f"/api/v3/runs/{run_id}")
    assert answer.status_code == 200
    return answer.json()


def test_answers_every_required_field(api):
    run = read(api, made())
    required = (
        "id status taskIdentifier isQueued isExecuting isWaiting isCompleted isSuccess isFailed "
        "isCancelled isTest createdAt updatedAt tags costInCents baseCostInCents durationMs depth "
        "triggerFunction relatedRuns"
    )
    assert set(required.split()) <= run.keys()
    assert run["relatedRuns"] == {}
    assert None not in run.values()


def test_the_older_path_answers_the_same(api):
    run_id = made()
    assert api.get(f"/api/v1/runs/{run_id}").json() == read(api, run_id)


@pytest.mark.parametrize(
    ("status", "true"),
    [
        (RunStatus.PENDING_VERSION, {"isQueued"}),
        (RunStatus.DELAYED, {"isQueued"}),
        (RunStatus.QUEUED, {"isQueued"}),
        (RunStatus.DEQUEUED, {"isExecuting"}),
        (RunStatus.EXECUTING, {"isExecuting"}),
        (RunStatus.WAITING, {"isWaiting"}),
        (RunStatus.COMPLETED, {"isCompleted", "isSuccess"}),
        (RunStatus.CANCELED, {"isCompleted", "isFailed", "isCancelled"}),
        (RunStatus.FAILED, {"isCompleted", "isFailed"}),
        (RunStatus.CRASHED, {"isCompleted", "isFailed"}),
        (RunStatus.SYSTEM_FAILURE, {"isCompleted", "isFailed"}),
        (RunStatus.EXPIRED, {"isCompleted", "isFailed"}),
        (RunStatus.TIMED_OUT, {"isCompleted", "isFailed"}),
    ],
)
def test_says_where_it_stands(api, status, true):
    run = read(api, standing(status))
    flags = {name for name, value in run.items() if name.startswith("is") and value is True}
    assert (run["status"], flags) == (status, true)


def test_payload_and_output_come_back_byte_for_byte(api):
    text = '{"b":1e2,"a":1.0,"a":2,"big":123456789012345678901,"e":"\\u0000\\ud800"}'
    run_id = standing(RunStatus.COMPLETED, payload=text, output=text)
    content = api.get(f"/api/v3/runs/{run_id}").content.decode()
    assert content.count(text) == 2


def test_an_output_is_shown_only_when_it_succeeded(api):
    assert "output" not in read(api, standing(RunStatus.FAILED, output="1"))
    assert read(api, standing(RunStatus.COMPLETED, output="null"))["output"] is None


def test_a_failed_run_has_its_error(api):
    stored = json.dumps({"name": "ValueError", "message": "no", "stack_trace": "Traceback"})
    run = read(api, standing(RunStatus.FAILED, error=stored))
    assert run["error"] == {"name": "ValueError", "message": "no", "stackTrace": "Traceback"}
    assert "error" not in read(api, standing(RunStatus.QUEUED, error=stored))


def test_an_expired_run_says_why_and_when(api):
    run = read(api, standing(RunStatus.EXPIRED, reason="Its TTL passed."))
    assert (run["error"], run["expiredAt"]) == ({"message": "Its TTL passed."}, run["finishedAt"])


def test_times_are_iso_in_utc(api):
    run_id = made()
    created = Run.objects.get().created_at
    assert (
        read(api, run_id)["createdAt"]
        == f"{created:%Y-%m-%dT%H:%M:%S}.{created.microsecond // 1000:03}Z"
    )


def test_shows_options_as_they_were_given(api):
    asked = {"ttl": 90.0, "tags": ("b", "a"), "metadata": '{"a":1e2}', "idempotency_key": "k"}
    run = read(api, made(**asked))
    assert (run["ttl"], run["tags"], run["idempotencyKey"]) == ("90s", ["a", "b"], "k")
    assert run["metadata"] == {"a": 100.0}


def test_links_parent_root_and_children(api):
    root = made()
    child = made(parent_id=root)
    grandchild = made(parent_id=child)
    related = read(api, child)["relatedRuns"]
    assert (related["root"]["id"], related["parent"]["id"]) == (root, root)
    assert [item["id"] for item in related["children"]] == [grandchild]
    assert related["children"][0]["depth"] == 2


@pytest.mark.parametrize(
    "run_id", ["run_", "x", "run_%00", "run_ABC", "run_" + "a" * 10000, "run_é"]
)
def test_what_is_no_id_is_not_found_and_not_looked_up(api, run_id, django_assert_num_queries):
    with django_assert_num_queries(2):
        answer = api.get(f"/api/v3/runs/{run_id}")
    assert (answer.status_code, answer["x-should-retry"]) == (404, "false")


def test_a_run_that_may_not_be_committed_yet_is_worth_another_try(api):
    assert api.get(f"/api/v3/runs/{new_id('run')}")["x-should-retry"] == "true"
    old = "run_" + encode(1_700_000_000_000 << RANDOM_BITS)
    assert api.get(f"/api/v3/runs/{old}")["x-should-retry"] == "false"


def test_the_database_being_away_is_worth_another_try(api, monkeypatch):
    def gone(*arguments):
        raise OperationalError("server closed the connection")

    monkeypatch.setattr("dashboard.api.runs.found", gone)
    answer = api.get(f"/api/v3/runs/{new_id('run')}")
    assert answer.status_code == 503
    assert "closed" not in answer.json()["error"]


@pytest.mark.parametrize("letters", ["doesnotexist", "i", "l" * 26, "z" * 26, "0" * 26])
def test_an_id_that_no_run_can_have_is_not_found_for_good(api, letters):
    answer = api.get(f"/api/v3/runs/run_{letters}")
    assert (answer.status_code, answer["x-should-retry"]) == (404, "false")
