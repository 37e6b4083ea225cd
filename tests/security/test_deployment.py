"""What a deployment must be before it starts, and what its files look like."""

import os
import stat
import subprocess
import sys
from base64 import urlsafe_b64encode
from hashlib import sha512

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from dashboard import checks
from dashboard.conf import secret
from dashboard.conf.database import from_url, sqlite
from dashboard.launch import preflight
from dashboard.launch.preflight import StartError
from runs.errors import InvalidOption
from runs.lifecycle import apikeys
from runs.sqlite.base import DatabaseWrapper
from tests.support.instance import ROOT

pytestmark = pytest.mark.once

#: As `secrets` would make them, and the same in every process of the suite.
RANDOM = urlsafe_b64encode(sha512(b"a deployment of the tests").digest()).decode()
HEX = sha512(b"a former one").hexdigest()[:64]


def manage(directory, *words, **environment):
    """`manage.py …` with nothing in the environment but this."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    given = {**kept, "TRACKSIDE_DATA_DIR": str(directory), **environment}
    command = [sys.executable, "-W", "error", str(ROOT / "manage.py"), *words]
    return subprocess.run(command, env=given, capture_output=True, text=True, check=False)


CODE = """
from django.conf import settings as s
from django.core.management import call_command
call_command("check", deploy=True, fail_level="INFO")
print(s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE,
      s.SESSION_COOKIE_HTTPONLY, s.SECURE_HSTS_SECONDS, s.DEBUG, s.SESSION_SERIALIZER)
"""


def test_production_settings_pass_djangos_deployment_checks(tmp_path):
    done = manage(
        tmp_path, "shell", "--no-imports", "--command", CODE,
        TRACKSIDE_ENVIRONMENT_KIND="prod", SECRET_KEY=RANDOM, SECRET_KEY_FALLBACKS=HEX,
        ALLOWED_HOSTS="runs.example.com",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    said, told = done.stdout.splitlines()
    assert said == "System check identified no issues (0 silenced)."
    # cookies belong to this host and to TLS
    assert told.split() == [
        "__Host-trackside", "__Host-trackside-csrf", "True", "True", "True", "31536000", "False",
        "django.contrib.sessions.serializers.JSONSerializer",
    ]  # fmt: skip


def test_outside_development_no_start_without_a_secret(tmp_path):
    done = manage(tmp_path, "qcluster", TRACKSIDE_ENVIRONMENT_KIND="staging")
    assert done.returncode == 1
    assert done.stderr.startswith("SECRET_KEY must be set to at least 50 random characters")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "secret.key").exists()


def test_nor_does_a_web_server_of_ones_own(tmp_path):
    given = {"PATH": os.environ["PATH"], "TRACKSIDE_DATA_DIR": str(tmp_path), "SECRET_KEY": "short"}
    given |= {"TRACKSIDE_ENVIRONMENT_KIND": "prod"}
    command = [sys.executable, "-c", "import dashboard.asgi"]
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("SECRET_KEY must be set")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("key", "fine"),
    [
        (RANDOM, True),
        (HEX, True),
        ("", False),
        (RANDOM[:49], False),
        ("ab" * 40, False),
        ("django-insecure-" + RANDOM, False),
        ("change-me-" * 6, False),
        ("CHANGE_ME_0123456789_abcdefghijklmnopqrstuvwxyz_ABCDEF", False),
        ("your-very-long-and-very-secret-key-for-this-deployment", False),
        ("please replace this by sixty characters of your own, at random", False),
    ],
)
def test_which_keys_are_secrets(tmp_path, monkeypatch, key, fine):
    monkeypatch.setenv("SECRET_KEY", key)
    if fine:
        assert secret.key(tmp_path, strict=True) == key
        return
    with pytest.raises(ImproperlyConfigured, match=r"^SECRET_KEY must be set"):
        secret.key(tmp_path, strict=True)


def test_a_former_key_that_can_be_guessed_opens_as_much(monkeypatch):
    monkeypatch.setenv("SECRET_KEY_FALLBACKS", f"{RANDOM},changeme")
    assert secret.former() == [RANDOM, "changeme"]
    with pytest.raises(ImproperlyConfigured, match=r"^SECRET_KEY_FALLBACKS must be set"):
        secret.former(strict=True)


@pytest.mark.parametrize(("kind", "key", "fine"), [("dev", "k" * 40, True), ("prod", "k" * 40, False), ("prod", RANDOM, True)])  # fmt: skip
@pytest.mark.django_db
def test_a_preset_api_key_that_can_be_guessed_is_refused(settings, monkeypatch, kind, key, fine):
    settings.TRACKSIDE = {**settings.TRACKSIDE, "ENVIRONMENT": {"name": "x", "kind": kind}}
    monkeypatch.setenv("TRACKSIDE_API_KEY", key)
    if fine:
        assert key.startswith(apikeys.ensure_preset_key().prefix)
        return
    with pytest.raises(InvalidOption, match="can be guessed"):
        apikeys.ensure_preset_key()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "runs.example.com"])
def test_debug_pages_are_not_for_the_network(settings, host):
    preflight.debugging(host)
    settings.DEBUG = True
    for here in ("127.0.0.1", "::1", "localhost"):
        preflight.debugging(here)
    with pytest.raises(StartError, match=rf"^DEBUG is on, and {host} can be reached"):
        preflight.debugging(host)


def found(settings, *, deploy=False, **values):
    for name, value in values.items():
        setattr(settings, name, value)
    said = run_checks(tags=[checks.TAG], include_deployment_checks=deploy)
    return {one.id for one in said if one.id > "trackside.E009"}


def test_a_project_of_ones_own_is_checked_too(settings):
    prod = {**settings.TRACKSIDE, "ENVIRONMENT": {"name": "x", "kind": "prod"}}
    assert found(settings, DEBUG=True, SECRET_KEY="short") == set()
    assert found(settings, TRACKSIDE=prod) == {"trackside.E010", "trackside.E011"}
    assert found(settings, DEBUG=False, SECRET_KEY=RANDOM) == set()
    strange = {"ALLOWED_HOSTS": ["*"], "MIDDLEWARE": []}
    assert found(settings, deploy=True, **strange) == {"trackside.W010", "trackside.W011"}


@pytest.mark.django_db
def test_the_database_file_is_ones_own(tmp_path):
    entry = connections.configure_settings({"default": sqlite(tmp_path / "x.sqlite3")})["default"]
    opened, before = DatabaseWrapper(entry, "of_the_test"), os.umask(0)
    try:
        with opened.cursor() as cursor:
            cursor.execute("CREATE TABLE t (a)")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(before)
        opened.close()
    assert modes.keys() >= {"x.sqlite3", "x.sqlite3-wal", "x.sqlite3-shm", "x.sqlite3.gate"}
    assert set(modes.values()) == {0o600}


def test_pages_end_statements_that_take_too_long():
    options = from_url("postgres://u@h/n", process="web")["OPTIONS"]["options"]
    assert "statement_timeout=10s" in options
    assert "idle_in_transaction_session_timeout=30s" in options
