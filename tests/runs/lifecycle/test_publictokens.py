import base64
import json
import time
from datetime import timedelta

import jwt
import pytest
from django.utils import timezone

from runs.lifecycle import apikeys, publictokens
from runs.lifecycle.publictokens import BadToken
from runs.models import ApiKey
from runs.scopes import Scope
from tests.support.publictokens import claims, signed

pytestmark = pytest.mark.django_db


@pytest.fixture
def key():
    return apikeys.create("tests", actor="cli:tests")[1]


def refused(token):
    with pytest.raises(BadToken) as raised:
        publictokens.verify(token)
    return str(raised.value)


def test_a_token_a_client_signed_is_its_key_s(key):
    found = publictokens.verify(signed(key, "read:runs:run_1", "read:tags:a:b"))
    assert found.key.name == "tests"
    assert found.scopes == (Scope("read", "runs", "run_1"), Scope("read", "tags", "a:b"))
    assert (found.is_one_time, found.skipped) == (False, frozenset())
    assert key not in repr(found)


def test_we_sign_as_the_library_does(key):
    text = publictokens.sign(
        ApiKey.objects.get(), key, ["read:tags:ä"], expires_at=time.time() + 60
    )
    said = jwt.decode(text, options={"verify_signature": False})
    assert text == jwt.encode(said, key, "HS256")


def test_a_token_we_signed_is_too(key):
    row = ApiKey.objects.get()
    text = publictokens.sign(
        row,
        key,
        ["read:runs"],
        expires_at=time.time() + 60,
        otu=True,
        realtime={"skipColumns": ["payload"]},
    )
    found = publictokens.verify(text)
    assert (found.key.pk, found.is_one_time, found.skipped) == (row.pk, True, {"payload"})


def test_checking_one_costs_one_query_however_many_keys(key, django_assert_num_queries):
    token = signed(key, "read:runs")
    for number in range(5):
        apikeys.create(f"other {number}", actor="x")
    publictokens.verify(token)
    with django_assert_num_queries(1):
        publictokens.verify(token)


def test_a_token_ends_with_its_key(key):
    token = signed(key, "read:runs")
    apikeys.revoke("tests", actor="x")
    assert "revoked" in refused(token)


def test_a_token_ends_when_its_key_expires(key):
    token = signed(key, "read:runs")
    ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    refused(token)


def test_an_expired_token_says_so(key):
    assert "expired" in refused(signed(key, "read:runs", exp=int(time.time())))


def test_a_clock_that_is_ahead_is_no_forgery(key):
    publictokens.verify(signed(key, "read:runs", iat=int(time.time()) + 3600))


CHANGES = {
    "no subject": {"sub": None},
    "another key": {"sub": "key_999999"},
    "a subject that is none": {"sub": "key_1 OR 1=1"},
    "a number": {"sub": 1},
    "a huge key": {"sub": "key_" + "9" * 18},
    "another issuer": {"iss": "https://elsewhere.example"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "https://elsewhere.example"},
    "no audience": {"aud": None},
    "not public": {"pub": False},
    "public as text": {"pub": "true"},
    "no end": {"exp": None},
    "an end as text": {"exp": "9999999999"},
    "an end in words": {"exp": "soon"},
    "an end beyond time": {"exp": 1e300},
    "an end as yes": {"exp": True},
    "an end as list": {"exp": [1]},
    "not yet": {"nbf": 9_999_999_999},
    "scopes as text": {"scopes": "read:runs"},
    "scopes as object": {"scopes": {"read": True}},
    "scopes of numbers": {"scopes": [1]},
    "scopes of lists": {"scopes": [["read:runs"]]},
    "too many scopes": {"scopes": ["read:runs"] * 1001},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_refuses_a_token_that_says(key, changes):
    refused(signed(key, "read:runs", **changes))


@pytest.mark.parametrize("end", ["1e400", "NaN", "-Infinity", "1" * 5000])
def test_refuses_an_end_that_is_no_number(key, end):
    said = json.dumps(claims("read:runs", exp=0)).replace('"exp": 0', f'"exp": {end}')
    refused(jwt.PyJWS().encode(said.encode(), key, "HS256"))


def test_a_token_without_scopes_allows_nothing(key):
    assert publictokens.verify(signed(key, scopes=None)).scopes == ()


def coded(value):
    text = json.dumps(value).encode() if not isinstance(value, bytes) else value
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def test_refuses_what_nobody_signed(key):
    said = coded(claims("admin"))
    for header in ({"alg": "none"}, {"alg": "None"}, {"alg": "HS256"}, {}, {"alg": None}, []):
        refused(f"{coded(header)}.{said}.")
        refused(f"{coded(header)}.{said}.{coded(b'x' * 32)}")


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_refuses_other_algorithms(key, algorithm):
    refused(signed(key * 2, "admin", algorithm=algorithm))


def test_refuses_the_signature_of_another_key(key):
    other = apikeys.create("other", actor="x")[1]
    refused(signed(other, "admin", key=ApiKey.objects.get(name="tests")))
    publictokens.verify(signed(other, "admin", key=ApiKey.objects.get(name="other")))


def test_refuses_a_key_named_by_the_header(key):
    headers = {"kid": "../../../dev/null", "jku": "http://127.0.0.1/", "jwk": {"k": ""}}
    refused(signed("another-secret-of-32-characters-x", "admin", headers=headers))


DEEP = b'{"a":' * 10_000
ODD = [
    "eyJ", "eyJ.", "eyJ..", "eyJ...", "eyJ.eyJ.eyJ", "eyJ\x00.a.b", "eyJ\udcff", "eyJé.é.é", "eyJ" + "A" * 100_000,
    f"{coded({'alg': 'HS256'})}.{coded(DEEP)}.x", f"{coded({'alg': 'HS256'})}.{coded(b'[]')}.x",
    f"{coded({'alg': 'HS256'})}.{coded(bytes([255, 254]))}.x", f"{coded({'alg': 'HS256', 'b64': False, 'crit': ['b64']})}..x",
]  # fmt: skip


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_refuses_what_is_no_token(text):
    refused(text)


def test_a_changed_secret_key_ends_tokens_until_the_key_is_used(key, settings, caplog):
    token, former = signed(key, "read:runs"), settings.SECRET_KEY
    settings.SECRET_KEY = "another secret key of this deployment, long enough"
    assert "cannot be checked" in refused(token)
    assert "SECRET_KEY_FALLBACKS" in caplog.text
    assert key not in caplog.text
    settings.SECRET_KEY_FALLBACKS = [former]
    publictokens.verify(token)
    settings.SECRET_KEY_FALLBACKS = []
    assert apikeys.verify(key) is not None
    publictokens.verify(token)


def test_what_is_logged_of_a_refused_token_is_no_secret(key, caplog):
    token = signed(key, "read:runs", iss="https://elsewhere.example")
    refused(token)
    assert "tests" in caplog.text
    assert token.rpartition(".")[2] not in caplog.text
