"""The `--database` option: which database the suite runs on. Loaded before Django's settings."""

import os
from collections.abc import Iterator

import pytest

from tests.support.postgres import Postgres

DATABASES = ("sqlite", "postgresql")
_server = pytest.StashKey[Postgres]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=DATABASES, default="sqlite", help="default: sqlite")


# A wrapper runs before every plain hook, so before pytest-django reads the settings.
@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    inherited = "PYTEST_XDIST_WORKER" in os.environ
    if not inherited:
        os.environ.pop("DATABASE_URL", None)
        if early_config.known_args_namespace.database == "postgresql":
            start(early_config)
    return (yield)


def start(config: pytest.Config) -> None:
    """Start a server and point the settings to it."""
    server = config.stash[_server] = Postgres()
    config.add_cleanup(server.stop)
    server.start()
    os.environ["DATABASE_URL"] = server.url


def pytest_report_header(config: pytest.Config) -> str:
    return f"database: {config.option.database}"
