"""A database for tests where nobody else makes one: SQLite in memory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.test.utils import setup_databases, teardown_databases

SETTINGS: dict[str, Any] = {
    "INSTALLED_APPS": [
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "engine",
        "runs",
    ],
    "DATABASES": {"default": {"ENGINE": "runs.sqlite", "NAME": ":memory:"}},
    "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
    "SECRET_KEY": "tests-only",
    "USE_TZ": True,
}


def is_configured() -> bool:
    """Whether somebody said which settings Django has."""
    return bool(settings.configured or os.environ.get("DJANGO_SETTINGS_MODULE"))


def ready() -> None:
    """Set Django up, with settings of our own where nobody named any."""
    if not is_configured():
        settings.configure(**SETTINGS)
    if not apps.ready:
        django.setup()
    missing = [name for name in ("runs", "engine") if not apps.is_installed(name)]
    if missing:
        raise ImproperlyConfigured(
            f"Tests of tasks need {' and '.join(missing)} in INSTALLED_APPS: see docs/install.md."
        )


@contextmanager
def made() -> Iterator[None]:
    """A test database stands."""
    ready()
    before = setup_databases(verbosity=0, interactive=False)
    try:
        yield
    finally:
        teardown_databases(before, verbosity=0)


@contextmanager
def rolled_back() -> Iterator[None]:
    """What is written in here never was."""
    block = transaction.atomic()
    vars(block)["_from_testcase"] = True  # no body is in it
    with block:
        try:
            yield
        finally:
            transaction.set_rollback(True)
    connection.run_on_commit = []
