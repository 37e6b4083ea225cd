from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import TransactionTestCase

from tests.support.emptying import empty
from tests.support.instance import Instance, database_url, running, started_anew


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker) -> Iterator[None]:
    """The test database; whoever still has it open at the end (a notifying thread) is sent away."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty)
        yield
    with django_db_blocker.unblock():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            # pytest-django closes the connection it began with, which a site may have replaced
            connection.close()


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """What one test put into the cache is not there for the next."""
    cache.clear()


@pytest.fixture
def instance(tmp_path: Path, transactional_db: None) -> Iterator[Instance]:
    """Starts processes on this test's own database, which the test sees through the models."""
    with running(database_url(), tmp_path) as made:
        yield made


@pytest.fixture
def cluster_env(instance: Instance) -> dict[str, str]:
    """Environment with which another process works on this test's database."""
    return instance.environment


@pytest.fixture
def new_instance(tmp_path: Path, django_db_blocker) -> Iterator[Instance]:
    """As a new user has it: a database without tables, and nothing started."""
    with django_db_blocker.unblock(), started_anew(tmp_path) as instance:
        yield instance


@pytest.fixture
def clock(time_machine) -> Callable[[str], None]:
    """Stands at nine in the morning of a day, in UTC, and moves when told to: `clock("10:30:00")`."""

    def move(text: str) -> None:
        time_machine.move_to(datetime.fromisoformat(f"2030-01-01T{text}+00:00"), tick=False)

    move("09:00:00")
    return move
