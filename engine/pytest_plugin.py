"""The pytest plugin: a fixture `trackside`, and what its runs did under every test that fails.

It is there as soon as Trackside is installed. Without pytest-django, or without settings, tests get
an SQLite database in memory; otherwise the test database of the project.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings

if TYPE_CHECKING:
    from engine.testing.harness import Trackside
    from engine.testing.records import RecordedRun

USED = pytest.StashKey["Trackside"]()
#: Whether the project says which settings Django has.
HAS_SETTINGS = pytest.StashKey[bool]()
#: Runs shown under a failed test.
SHOWN = 10


def pytest_sessionstart(session: pytest.Session) -> None:
    named = "DJANGO_SETTINGS_MODULE" in os.environ
    session.config.stash[HAS_SETTINGS] = named or settings.configured


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """pytest-django makes the databases that the collected tests say they need."""
    if is_projects_database(session.config):
        for item in items:
            uses = "trackside" in getattr(item, "fixturenames", ())
            if uses and item.get_closest_marker("django_db") is None:
                item.add_marker(pytest.mark.django_db)


def is_projects_database(config: pytest.Config) -> bool:
    return config.pluginmanager.hasplugin("django") and config.stash[HAS_SETTINGS]


@pytest.fixture(scope="session")
def _trackside_database() -> Iterator[None]:
    from engine.testing import database  # noqa: PLC0415  Django may not be configured before

    with database.made():
        yield


@pytest.fixture
def _trackside_transaction(request: pytest.FixtureRequest) -> Iterator[None]:
    from engine.testing import database  # noqa: PLC0415

    if is_projects_database(request.config):
        request.getfixturevalue("db")
        yield
        return
    request.getfixturevalue("_trackside_database")
    with database.rolled_back():
        yield


@pytest.fixture
def trackside(
    request: pytest.FixtureRequest, _trackside_transaction: None
) -> "Iterator[Trackside]":
    """Executes tasks in this process, in the test's database and by a clock that can be moved."""
    from engine.testing import Trackside  # noqa: PLC0415  needs models

    with Trackside() as made:
        request.node.stash[USED] = made
        yield made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Any:
    """Under a failed test stand its runs, with log lines and tracebacks."""
    report = yield
    used = item.stash.get(USED, None)
    if used is not None and report.when == "call" and report.failed:
        try:
            runs: list[RecordedRun[Any]] = used.runs()
            told = [run.report() for run in runs[-SHOWN:]]
        except Exception as problem:  # the database may be what failed
            told = [f"They cannot be read: {problem}"]
        if told:
            report.sections.append(("Trackside runs", "\n\n".join(told)))
    return report
