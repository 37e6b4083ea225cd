"""Who may do what with a public token, and with a key of each role."""

import json

import pytest

from dashboard.api import auth
from runs.lifecycle import apikeys, tokens
from runs.models import ApiKey, AuditLog, Event
from tests.dashboard.api.conftest import Api
from tests.support.corpora import every, needs_corpora, strings
from tests.support.publictokens import signed

pytestmark = pytest.mark.django_db

LINES = "application/x-ndjson"


@pytest.fixture
def public(key):
    """A client with a token of these scopes."""
    return lambda *scopes, **changes: Api(signed(key, *scopes, **changes))


@pytest.fixture
def run(api):
    made = api.trigger("hello", {"options": {"tags": ["a:b", "c"]}})
    return made.json()["id"]


def statuses(client, *paths):
    return [client.get(path).status_code for path in paths]


@pytest.mark.parametrize(
    "scope",
    ["read:runs:{}", "read:runs", "read:tasks:hello", "read:tags:a:b", "read:tags:c", "read:all", "admin", "*:runs"],
)  # fmt: skip
def test_a_run_is_read_by_its_id_its_task_or_a_tag(public, run, scope):
    assert public(scope.format(run)).get(f"/api/v3/runs/{run}").status_code == 200


@pytest.mark.parametrize(
    "scope",
    ["read:runs:run_01k00000000000000000000000", "read:tasks:other", "read:tags:d", "read:batch:batch_1", "write:runs", "read"],
)  # fmt: skip
def test_a_run_is_not_read_without_a_scope(public, run, scope):
    answer = public(scope).get(f"/api/v3/runs/{run}")
    assert answer.status_code == 403
    assert answer.json() == {
        "error": "Unauthorized",
        "code": "unauthorized",
        "param": "access_token",
        "type": "authorization",
    }


def test_nobody_learns_which_runs_there_are(public, run):
    client = public("read:tags:elsewhere")
    other = run[:-1] + ("0" if run[-1] != "0" else "1")
    assert statuses(client, f"/api/v3/runs/{run}", f"/api/v3/runs/{other}") == [403, 403]
    assert public("read:runs").get(f"/api/v3/runs/{other}").status_code == 404


def test_a_run_is_read_by_its_batch(public, api):
    batch = api.post("/api/v3/batches", {"runCount": 1}).json()["id"]
    line = json.dumps({"index": 0, "task": "hello"}).encode()
    path = f"/api/v3/batches/{batch}/items"
    api.client.post(path, line, content_type=LINES, headers=api.headers)
    (run,) = api.get(f"/api/v2/batches/{batch}").json()["runs"]
    client = public(f"read:batch:{batch}")
    assert statuses(client, f"/api/v3/runs/{run}", f"/api/v2/batches/{batch}") == [200, 200]
    assert public("read:runs").get(f"/api/v2/batches/{batch}").status_code == 200
    assert public("read:batch:batch_1").get(f"/api/v2/batches/{batch}").status_code == 403


def test_a_value_of_a_run_is_got_by_who_may_read_the_run(public, api):
    run = api.trigger("hello", {"payload": {"a": 1}}).json()["id"]
    path = f"/api/v1/runs/{run}/packets/payload"
    assert public(f"read:runs:{run}").get(path).status_code == 200
    assert public("read:runs:run_1").get(path).status_code == 403
    assert public("read:runs:run_1").get("/api/v1/packets/a").status_code == 403
    assert public("read:runs").get("/api/v1/packets/a").status_code == 404


def test_runs_are_listed_by_who_may_read_all_that_is_asked_for(public, run):
    listing, narrowed = "/api/v1/runs", "/api/v1/runs?filter[taskIdentifier]=hello,other"
    assert statuses(public("read:runs"), listing, narrowed) == [200, 200]
    assert statuses(public("read:tasks"), listing, narrowed) == [200, 200]
    assert statuses(public("read:tasks:hello"), listing, narrowed) == [403, 403]
    both = public("read:tasks:hello", "read:tasks:other")
    assert statuses(both, listing, narrowed) == [403, 200]
    assert statuses(public(f"read:runs:{run}"), listing) == [403]


def test_cancel_needs_to_write_the_run_or_its_task(public, run):
    path = f"/api/v2/runs/{run}/cancel"
    for scope in (f"read:runs:{run}", "write:tags:c", "write:tasks:other"):
        assert public(scope).post(path).status_code == 403
    assert public("write:tasks:hello").post(path).status_code == 200
    assert public(f"write:runs:{run}").post(path).status_code == 200
    event = Event.objects.get(run_id=run, kind="canceled")
    assert event.actor == "key:tests (public token)"


def test_trigger_needs_the_task(public):
    assert public("trigger:tasks:hello").trigger("hello").status_code == 200
    assert public("trigger:tasks").trigger("a/b").status_code == 200
    assert public("trigger:tasks:a/b:c").trigger("a%2Fb:c").status_code == 200
    for scope in ("trigger:tasks:other", "write:tasks:hello", "batchTrigger:tasks:hello"):
        assert public(scope).trigger("hello").status_code == 403


def opened(client, *tasks):
    return client.post("/api/v3/batches", {"runCount": 1, "taskIdentifiers": list(tasks)})


def sent(client, batch, task):
    line = json.dumps({"index": 0, "task": task}).encode()
    path = f"/api/v3/batches/{batch}/items"
    return client.client.post(path, line, content_type=LINES, headers=client.headers)


def test_a_batch_needs_each_task_or_batches(public):
    one = public("batchTrigger:tasks:a")
    assert opened(one, "a").status_code == 202
    assert [opened(one, *tasks).status_code for tasks in ([], ["a", "b"])] == [403, 403]
    for scope in ("batchTrigger:batch", "batchTrigger:tasks"):
        assert opened(public(scope)).status_code == 202
    assert opened(public("trigger:tasks:a"), "a").status_code == 403


def test_items_are_of_tasks_the_token_names(public):
    client = public("batchTrigger:tasks:a")
    batch = opened(client, "a").json()["id"]
    assert sent(client, batch, "b").status_code == 403
    assert sent(client, batch, "a").json()["sealed"] is True


def test_a_wait_token_needs_to_be_written(public):
    token, _ = tokens.create()
    path = f"/api/v1/waitpoints/tokens/{token.pk}/complete"
    assert public("write:waitpoints:waitpoint_1").post(path, {}).status_code == 403
    assert public(f"write:waitpoints:{token.pk}").post(path, {"data": 1}).status_code == 200
    token.refresh_from_db()
    assert token.completed_by == "key:tests (public token)"


def test_a_key_is_reset_by_who_may_write_runs(public, api):
    api.trigger("hello", {"options": {"idempotencyKey": "k"}})
    path, body = "/api/v1/idempotencyKeys/k/reset", {"taskIdentifier": "hello"}
    assert public("write:runs:run_1").post(path, body).status_code == 403
    assert public("write:runs").post(path, body).status_code == 200
    assert AuditLog.objects.get(action="key.reset").actor == "key:tests (public token)"


SECRET_ONLY = [
    ("POST", "/api/v1/runs/{}/replay"),
    ("POST", "/api/v1/runs/{}/reschedule"),
    ("POST", "/api/v1/runs/{}/tags"),
    ("GET", "/api/v1/runs/{}/metadata"),
    ("PUT", "/api/v1/runs/{}/metadata"),
    ("POST", "/api/v1/waitpoints/tokens"),
    ("GET", "/api/v1/waitpoints/tokens"),
    ("GET", "/api/v1/queues"),
    ("POST", "/api/v1/queues/q/pause"),
    ("GET", "/api/v1/schedules"),
    ("POST", "/api/v1/schedules"),
    ("GET", "/api/v1/projects/any/envvars/dev"),
    ("POST", "/api/v1/projects/any/envvars/dev"),
    ("GET", "/api/v1/runs/{}/trace"),
    ("GET", "/api/v1/runs/{}/result"),
    ("POST", "/api/v1/auth/jwt/claims"),
    ("POST", "/api/v1/auth/public-tokens"),
]


@pytest.mark.parametrize(("method", "path"), SECRET_ONLY)
def test_everything_else_wants_a_secret_key(public, run, method, path):
    client = public("admin")
    answer = client.client.generic(method, path.format(run), headers=client.headers)
    assert answer.status_code == 401
    assert "secret key" in answer.json()["error"]


# -- roles ----------------------------------------------------------------------------------------


def of_role(role):
    return Api(apikeys.create(role, actor="x", role=role)[1])


def test_a_viewer_reads_and_no_more(run):
    viewer = of_role("viewer")
    assert statuses(viewer, "/api/v1/runs", f"/api/v3/runs/{run}", "/api/v1/queues") == [200] * 3
    refused = [viewer.trigger(), viewer.post(f"/api/v2/runs/{run}/cancel"), viewer.post(
        "/api/v1/waitpoints/tokens"), viewer.post("/api/v1/queues/q/pause")]  # fmt: skip
    assert [answer.status_code for answer in refused] == [403] * 4
    assert "operator" in refused[0].json()["error"]
    assert refused[0].json()["type"] == "authorization"


def test_an_operator_runs_and_an_admin_keeps_house(run):
    operator, admin = of_role("operator"), of_role("admin")
    assert operator.trigger().status_code == 200
    assert operator.post("/api/v1/waitpoints/tokens").status_code == 200
    path, body = "/api/v1/queues/q/pause", {"type": "custom", "action": "pause"}
    assert operator.post(path, body).status_code == 403
    assert admin.post(path, body).status_code == 404


ADMINS = [
    ("POST", "/api/v1/queues/q/pause"),
    ("POST", "/api/v1/queues/q/concurrency/override"),
    ("POST", "/api/v1/queues/q/concurrency/reset"),
    ("POST", "/api/v1/schedules"),
    ("PUT", "/api/v1/schedules/sched_1"),
    ("DELETE", "/api/v1/schedules/sched_1"),
    ("POST", "/api/v1/schedules/sched_1/activate"),
    ("POST", "/api/v1/schedules/sched_1/deactivate"),
    ("GET", "/api/v1/projects/any/envvars/dev"),
    ("POST", "/api/v1/projects/any/envvars/dev"),
    ("POST", "/api/v1/projects/any/envvars/dev/import"),
    ("GET", "/api/v1/projects/any/envvars/dev/NAME"),
    ("PUT", "/api/v1/projects/any/envvars/dev/NAME"),
    ("DELETE", "/api/v1/projects/any/envvars/dev/NAME"),
]


def test_only_an_admin_keeps_house():
    operator, admin = of_role("operator"), of_role("admin")
    for method, path in ADMINS:
        refused = operator.client.generic(method, path, headers=operator.headers)
        allowed = admin.client.generic(method, path, headers=admin.headers)
        assert (path, refused.status_code) == (path, 403)
        assert (path, allowed.status_code) in {(path, 200), (path, 400), (path, 404), (path, 422)}


def test_a_token_may_not_more_than_its_key(run):
    text = apikeys.create("watch", actor="x", role="viewer")[1]
    token = Api(signed(text, "admin", key=ApiKey.objects.get(name="watch")))
    assert token.get(f"/api/v3/runs/{run}").status_code == 200
    assert token.trigger().status_code == 403
    assert token.post(f"/api/v2/runs/{run}/cancel").status_code == 403


@needs_corpora
@pytest.mark.once
def test_naughty_strings_as_scopes_and_tokens(key):
    """Whatever a key's holder signs, and whatever stands where a token should: never a fault."""
    pk = ApiKey.objects.get()

    def holds(name, text):
        token = signed(key, text, f"read:runs:{text}", f"trigger:tasks:{text}", key=pk)
        caller = auth.authenticate(token)
        assert caller.may("trigger", ("tasks", text))
        assert not caller.may("read", ("runs", None))
        for sent in (text, text.encode(errors="replace").decode("latin-1")):
            assert auth.identify(f"eyJ{sent}") is None

    every(holds, {text: text for text in strings()})


@pytest.mark.parametrize(
    "header",
    [
        "Bearer " + "a" * 100_000, "Bearer eyJ" + "a" * 100_000, "Bearer \x00", "bearer", "Token abc", "Bearer a b",
        "Bearer Bearer abc", "Basic YTpi", "Bearer tr_dev_" + "\u00ff" * 40, "Bearer eyJhbGciOiJub25lIn0.e30.",
    ],
)  # fmt: skip
def test_headers_that_are_none(client, db, header):
    answer = client.get("/api/v1/runs", headers={"authorization": header})
    assert answer.status_code == 401
    assert answer.json()["error"]
