import json
import time

import jwt
import pytest

from runs.lifecycle import apikeys, publictokens
from runs.models import ApiKey
from runs.scopes import Scope
from tests.dashboard.api.conftest import Api

pytestmark = pytest.mark.django_db

TOKENS = "/api/v1/auth/public-tokens"


def read(token, key):
    return jwt.decode(token, key, ["HS256"], audience="https://api.trigger.dev")


def life(token, key):
    return read(token, key)["exp"] - time.time()


def test_a_client_signs_the_claims_with_its_key(api, key):
    said = api.post("/api/v1/auth/jwt/claims").json()
    assert said == {"sub": f"key_{ApiKey.objects.get().pk}", "pub": True}
    beside = {"iss": "https://id.trigger.dev", "aud": "https://api.trigger.dev"}
    token = jwt.encode({**said, **beside, "scopes": ["read:runs"], "exp": time.time() + 9}, key)
    assert Api(token).get("/api/v1/runs").status_code == 200


def test_a_viewer_gets_them_too():
    viewer = Api(apikeys.create("viewer", actor="x", role="viewer")[1])
    assert viewer.post("/api/v1/auth/jwt/claims").status_code == 200
    assert viewer.post(TOKENS, {"scopes": ["read:runs"]}).status_code == 200
    answer = viewer.post(TOKENS, {"scopes": ["read:runs", "trigger:tasks:a"]})
    assert answer.status_code == 403
    assert "viewer" in answer.json()["error"]


def test_we_sign_for_clients_that_cannot(api, key):
    body = {"scopes": ["read:runs:a"], "oneTimeUse": True, "realtime": {"skipColumns": ["payload"]}}
    token = api.post(TOKENS, body).json()["token"]
    found = publictokens.verify(token)
    assert found.scopes == (Scope("read", "runs", "a"),)
    assert (found.is_one_time, found.skipped) == (True, {"payload"})
    assert 880 < life(token, key) <= 900
    assert api.post(TOKENS, body).json()["token"] != token


@pytest.mark.parametrize(
    ("time_", "seconds"),
    [("1h", 3600), ("90s", 90), ("1h30m", 5400), ("15 minutes", 900), ("1 day", 86400), ("2 hrs", 7200), ("30d", 2_592_000)],
)  # fmt: skip
def test_a_token_lives_as_long_as_asked(api, key, time_, seconds):
    token = api.post(TOKENS, {"scopes": ["read:runs"], "expirationTime": time_}).json()["token"]
    assert seconds - 10 < life(token, key) <= seconds


def test_a_token_may_end_at_a_moment(api, key):
    moment = int(time.time()) + 1000
    token = api.post(TOKENS, {"scopes": ["read:runs"], "expirationTime": moment}).json()["token"]
    assert read(token, key)["exp"] == moment


@pytest.mark.parametrize(
    "body",
    [
        {}, {"scopes": []}, {"scopes": "read:runs"}, {"scopes": [1]}, {"scopes": [""]}, {"scopes": ["\x00"]},
        {"scopes": ["a"] * 1001}, {"scopes": ["a" * 501]}, {"scopes": ["a"], "expirationTime": "31d"}, {"scopes": ["a" * 400] * 100},
        {"scopes": ["a"], "expirationTime": "soon"}, {"scopes": ["a"], "expirationTime": 1}, {"scopes": ["a"], "expirationTime": "0s"},
        {"scopes": ["a"], "expirationTime": 10**400}, {"scopes": ["a"], "expirationTime": 1.5}, {"scopes": ["a"], "expirationTime": True},
        {"scopes": ["a"], "expirationTime": "9" * 400 + "s"}, {"scopes": ["a"], "oneTimeUse": "yes"}, {"scopes": ["a"], "realtime": []},
        {"scopes": ["a"], "realtime": {"skipColumns": "payload"}}, {"scopes": ["a"], "sub": "key_1"},
    ],
)  # fmt: skip
def test_refuses_tokens_that_make_no_sense(api, body):
    answer = api.post(TOKENS, body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_a_trigger_answers_with_a_token_that_reads_its_run(api, key):
    answer = api.trigger()
    run = answer.json()["id"]
    scopes = [f"read:runs:{run}", f"write:inputStreams:{run}"]
    assert json.loads(answer["x-trigger-jwt-claims"]) == {
        "sub": f"key_{ApiKey.objects.get().pk}", "pub": True, "scopes": scopes
    }  # fmt: skip
    assert read(answer["x-trigger-jwt"], key)["scopes"] == scopes
    assert 3590 < life(answer["x-trigger-jwt"], key) <= 3600
    assert Api(answer["x-trigger-jwt"]).get(f"/api/v3/runs/{run}").status_code == 200
    assert "x-trigger-jwt" not in api.trigger(body=b"[]")


def test_a_batch_answers_with_a_token_that_reads_it(api, key):
    answer = api.post("/api/v3/batches", {"runCount": 1})
    batch = answer.json()["id"]
    assert "scopes" not in json.loads(answer["x-trigger-jwt-claims"])
    assert read(answer["x-trigger-jwt"], key)["scopes"] == [f"read:batch:{batch}"]
    browser = api.post("/api/v3/batches", {"runCount": 1}, x_trigger_client="browser")
    assert len(read(browser["x-trigger-jwt"], key)["scopes"]) == 2


def test_a_wait_token_answers_with_a_token_that_completes_it(api, key):
    answer = api.post("/api/v1/waitpoints/tokens", {})
    token = answer.json()["id"]
    assert 86390 < life(answer["x-trigger-jwt"], key) <= 86400
    browser = Api(answer["x-trigger-jwt"])
    path = f"/api/v1/waitpoints/tokens/{token}/complete"
    assert browser.post(path, {"data": 1}).json() == {"success": True}


def test_a_changed_secret_key_keeps_nobody_from_working(api, settings):
    settings.SECRET_KEY = "another secret key of this deployment, long enough"
    answer = api.trigger()
    run = answer.json()["id"]
    assert Api(answer["x-trigger-jwt"]).get(f"/api/v3/runs/{run}").status_code == 200
