"""The environment of the suite and its `--database` option, before Django's settings load."""

import gc
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator

import pytest

from tests.support.postgres import CARELESS, SETTINGS, Postgres

TESTPATHS = pytest.Config.ArgsSource.TESTPATHS
DATABASES = ("sqlite", "postgresql")
DATABASE_MARKS = {"django_db", "acceptance", "system"}
#: Every other fixture with a database rests on one of these.
DATABASE_FIXTURES = {"db", "transactional_db", "live_server", "new_instance"}

#: Fixtures that take seconds to make: one process runs all tests of such a one.
SHARED = ("site_on_server", "first", "browser", "writers_site", "packages", "shared_site")
GROUP_SUFFIX = re.compile(r"@[^\]]+$")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=DATABASES, default="sqlite", help="default: sqlite")


# A wrapper runs before every plain hook, so before pytest-django reads the settings.
@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    # As Ctrl-C: a suite that is told to stop stops its server and removes its files.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    gc.disable()  # nothing that is imported and collected is garbage
    isolate(early_config)
    keep_bytecode()
    # A worker of pytest-xdist inherits the server of its controller.
    if "PYTEST_XDIST_WORKER" not in os.environ:
        choose_database(early_config)
    return (yield)


def isolate(config: pytest.Config) -> None:
    """Nothing of the machine's own Trackside is read or written."""
    directory = tempfile.mkdtemp(prefix=f"trackside-tests-{os.getpid()}-")
    config.add_cleanup(lambda: shutil.rmtree(directory, ignore_errors=True))
    os.environ["TRACKSIDE_DATA_DIR"] = directory
    os.environ["SECRET_KEY"] = "for-tests-only-" + "0123456789abcdef" * 3


def keep_bytecode() -> None:
    """The tests start hundreds of processes: what the first one compiled, the others only load."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def choose_database(config: pytest.Config) -> None:
    """Start a server if the suite runs on one, and point the settings to it."""
    os.environ.pop("DATABASE_URL", None)
    if config.known_args_namespace.database == "postgresql":
        server = Postgres(SETTINGS | CARELESS)
        config.add_cleanup(server.stop)
        server.start()
        os.environ["DATABASE_URL"] = server.url


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Iterator[None]:
    for item in items:
        if group := group_of(item):
            item.add_marker(pytest.mark.xdist_group(group))
    yield
    leave_out_what_was_asked(config, items)
    # stable: pytest-randomly's order stays within a group
    items.sort(key=rank)


def pytest_collection_finish() -> None:
    """What is there now stays to the end: the collector need not walk it for every few tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    gc.enable()


def group_of(item: pytest.Item) -> str:
    """The dear fixture a test shares with others, or nothing."""
    return next((name for name in SHARED if name in fixtures_of(item)), "")


def rank(item: pytest.Item) -> int:
    """What takes long begins early, so that no process waits for it at the end.

    Those that share a cluster come after the others that start some: it should not idle meanwhile.
    """
    if group := group_of(item):
        return len(SHARED) + 1 if group == "shared_site" else SHARED.index(group)
    return len(SHARED) if item.get_closest_marker("acceptance") else len(SHARED) + 2


def leave_out_what_was_asked(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What needs no database answers the same on both, so only SQLite's leg asks it."""
    if config.option.database == "sqlite" or config.args_source is not TESTPATHS:
        return
    left_out = [item for item in items if not differs_by_database(item)]
    items[:] = [item for item in items if differs_by_database(item)]
    config.hook.pytest_deselected(items=left_out)


def fixtures_of(item: pytest.Item) -> set[str]:
    return set(getattr(item, "fixturenames", ()))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """pytest-xdist adds the group to a test's name; `--last-failed` must find it without."""
    report.nodeid = GROUP_SUFFIX.sub("", report.nodeid)


def differs_by_database(item: pytest.Item) -> bool:
    marks = {mark.name for mark in item.iter_markers()}
    if "once" in marks:
        return False
    return bool(marks & DATABASE_MARKS or fixtures_of(item) & DATABASE_FIXTURES)


def pytest_report_header(config: pytest.Config) -> str:
    return f"database: {config.option.database}"
