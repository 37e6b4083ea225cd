import stat

import pytest
from django.core.exceptions import ImproperlyConfigured

from dashboard.conf import secret


@pytest.fixture(autouse=True)
def _no_key_given(monkeypatch):
    monkeypatch.delenv("SECRET_KEY", raising=False)


def test_makes_a_private_key_once(tmp_path):
    first = secret.key(tmp_path, strict=False)
    assert len(first) >= 50
    assert secret.key(tmp_path, strict=False) == first
    [path] = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_takes_the_given_key(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "short")
    assert secret.key(tmp_path, strict=False) == "short"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("weak", ["", "short", "a" * 60, "django-insecure-" + "abcdefgh" * 8])
def test_refuses_a_weak_key_in_production(tmp_path, monkeypatch, weak):
    monkeypatch.setenv("SECRET_KEY", weak)
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY must be set"):
        secret.key(tmp_path, strict=True)


def test_refuses_an_empty_key_file(tmp_path):
    (tmp_path / "secret.key").touch()
    with pytest.raises(ImproperlyConfigured, match="is empty"):
        secret.key(tmp_path, strict=False)


def test_knows_former_keys(monkeypatch):
    monkeypatch.setenv("SECRET_KEY_FALLBACKS", "one, two")
    assert secret.former() == ["one", "two"]
    monkeypatch.delenv("SECRET_KEY_FALLBACKS")
    assert secret.former() == []
