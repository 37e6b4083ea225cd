import hashlib
import re

import pytest

from runs.errors import InvalidOption, NotFound
from runs.lifecycle import apikeys
from runs.models import ApiKey, AuditLog

pytestmark = pytest.mark.django_db


def test_makes_a_key_and_stores_it_encrypted():
    row, text = apikeys.create("backend", actor="cli:ann")
    assert re.fullmatch("tr_dev_[0-9a-zA-Z]{40}", text)
    assert row.key_hash == hashlib.sha256(text.encode()).hexdigest()
    assert text.startswith(row.prefix)
    assert all(text not in str(values) for values in ApiKey.objects.values())
    assert (apikeys.secret(row), row.role) == (text, "admin")
    entry = AuditLog.objects.get()
    assert (entry.action, entry.actor, entry.target) == ("apikey.create", "cli:ann", "backend")
    assert text not in entry.data


@pytest.mark.parametrize(("kind", "word"), [("dev", "dev"), ("staging", "stg"), ("prod", "prod")])
def test_a_key_names_its_environment(settings, kind, word):
    settings.TRACKSIDE = {"ENVIRONMENT": {"name": "x", "kind": kind}}
    text = apikeys.new_text()
    assert text.startswith(f"tr_{word}_")
    assert apikeys.MISREAD_KEY.fullmatch(text) is None


def test_a_name_is_used_once():
    apikeys.create("backend", actor="x")
    with pytest.raises(InvalidOption, match="already"):
        apikeys.create("backend", actor="x")


@pytest.mark.parametrize("name", ["", " ", " a", "a\n", "\x1b[0m", "x" * 101])
def test_refuses_names_nobody_could_read(name):
    with pytest.raises(InvalidOption, match="name"):
        apikeys.create(name, actor="x")


@pytest.mark.parametrize(
    "key", ["short", "x" * 201, "with space " * 3, "é" * 30, "tr_dev_sk_" + "a" * 24]
)
def test_refuses_keys_that_would_not_work(key):
    with pytest.raises(InvalidOption, match="key"):
        apikeys.create("backend", actor="x", key=key)


def test_refuses_a_role_there_is_not():
    with pytest.raises(InvalidOption, match="trigger, viewer, operator, variables, admin"):
        apikeys.create("backend", actor="x", role="root")


@pytest.mark.parametrize(
    "key", ["eyJ" + "a" * 40, "eyJhbGciOiJIUzI1NiJ9.eyJwdWIiOnRydWV9.aaaaaaaaaaa"]
)
def test_refuses_a_key_that_looks_like_a_token(key):
    with pytest.raises(InvalidOption, match="eyJ"):
        apikeys.create("backend", actor="x", key=key)


def test_refuses_a_key_nothing_can_be_signed_with():
    key = '{"kty":"oct","k":"aaaaaaaaaaaaaaaaaaaaaaaaaaaa"}'
    with pytest.raises(InvalidOption, match="of another kind"):
        apikeys.create("backend", actor="x", key=key)


def test_nothing_of_a_revoked_key_can_be_read():
    apikeys.create("backend", actor="x")
    apikeys.revoke("backend", actor="x")
    assert ApiKey.objects.get().secret == ""


def test_a_changed_secret_key_leaves_keys_alive(settings):
    row, text = apikeys.create("backend", actor="x")
    settings.SECRET_KEY = "another secret key of this deployment, long enough"
    assert apikeys.secret(row) is None
    assert apikeys.secret(apikeys.verify(text)) == text
    assert apikeys.secret(ApiKey.objects.get()) == text


def test_a_revoked_key_is_not_encrypted_anew(settings):
    _, text = apikeys.create("backend", actor="x")
    apikeys.revoke("backend", actor="x")
    settings.SECRET_KEY = "another secret key of this deployment, long enough"
    assert apikeys.verify(text) is None
    assert ApiKey.objects.get().secret == ""


def test_revokes_once_and_for_all():
    _, text = apikeys.create("backend", actor="x")
    first = apikeys.revoke("backend", actor="cli:ann").revoked_at
    assert apikeys.revoke("backend", actor="cli:bob").revoked_at == first
    assert apikeys.verify(text) is None
    assert AuditLog.objects.filter(action="apikey.revoke").count() == 1


def test_a_revoked_key_leaves_its_name_to_a_successor():
    _, old = apikeys.create("backend", actor="x")
    apikeys.revoke("backend", actor="x")
    row, new = apikeys.create("backend", actor="x")
    assert (apikeys.verify(old), apikeys.verify(new)) == (None, row)
    assert apikeys.revoke("backend", actor="x") == row
    assert apikeys.verify(new) is None


def test_revoking_an_unknown_key_says_so():
    with pytest.raises(NotFound, match="nobody"):
        apikeys.revoke("nobody", actor="x")


def test_a_preset_key_is_read_again_after_a_changed_secret_key(monkeypatch, settings):
    monkeypatch.setenv("TRACKSIDE_API_KEY", PRESET)
    apikeys.ensure_preset_key()
    settings.SECRET_KEY = "another secret key of this deployment, long enough"
    apikeys.ensure_preset_key()
    assert apikeys.secret(ApiKey.objects.get()) == PRESET


PRESET = "a-preset-key-of-some-length-or-more"


def test_a_preset_key_is_made_once(monkeypatch):
    monkeypatch.setenv("TRACKSIDE_API_KEY", PRESET)
    first, second = apikeys.ensure_preset_key(), apikeys.ensure_preset_key()
    assert first.pk == second.pk == apikeys.verify(PRESET).pk
    assert ApiKey.objects.count() == 1


def test_a_changed_preset_replaces_the_earlier_one(monkeypatch):
    monkeypatch.setenv("TRACKSIDE_API_KEY", PRESET)
    apikeys.ensure_preset_key()
    monkeypatch.setenv("TRACKSIDE_API_KEY", PRESET + "-2")
    apikeys.ensure_preset_key()
    assert apikeys.verify(PRESET) is None
    assert apikeys.verify(PRESET + "-2").name == "TRACKSIDE_API_KEY"


def test_a_revoked_preset_stays_revoked(monkeypatch):
    monkeypatch.setenv("TRACKSIDE_API_KEY", PRESET)
    apikeys.ensure_preset_key()
    apikeys.revoke("TRACKSIDE_API_KEY", actor="x")
    apikeys.ensure_preset_key()
    assert apikeys.verify(PRESET) is None


def test_a_changed_preset_follows_a_revoked_one(monkeypatch):
    monkeypatch.setenv("TRACKSIDE_API_KEY", PRESET)
    apikeys.ensure_preset_key()
    apikeys.revoke("TRACKSIDE_API_KEY", actor="x")
    monkeypatch.setenv("TRACKSIDE_API_KEY", PRESET + "-2")
    apikeys.ensure_preset_key()
    assert apikeys.verify(PRESET) is None
    assert apikeys.verify(PRESET + "-2") is not None


def test_without_a_preset_there_is_nothing_to_do(monkeypatch):
    monkeypatch.delenv("TRACKSIDE_API_KEY", raising=False)
    assert apikeys.ensure_preset_key() is None


def test_a_preset_that_cannot_be_a_key_is_refused(monkeypatch):
    monkeypatch.setenv("TRACKSIDE_API_KEY", "short")
    with pytest.raises(InvalidOption, match="32 to 200"):
        apikeys.ensure_preset_key()
