import pytest
from django.db import connection, connections
from psycopg_pool import ConnectionPool

from runs.postgresql.base import DatabaseWrapper

pytestmark = [
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no pool"),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def pooled():
    """A connection as a web process has it, to the tests' database."""
    facts = connections["default"].settings_dict
    options = {**facts["OPTIONS"], "pool": {"min_size": 1, "max_size": 1, "timeout": 5}}
    wrapper = DatabaseWrapper({**facts, "CONN_MAX_AGE": 0, "OPTIONS": options}, "pooled")
    yield wrapper
    wrapper.close()
    wrapper.close_pool()


def number(pooled):
    """The server's process behind it; the connection goes back to the pool."""
    with pooled.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (found,) = cursor.fetchone()
    pooled.close()
    return found


def test_a_living_connection_costs_no_question(pooled, monkeypatch):
    asked = []
    monkeypatch.setattr(ConnectionPool, "check_connection", asked.append)
    assert number(pooled) == number(pooled)
    assert not asked


def test_a_lost_connection_is_replaced_unseen(pooled):
    before = number(pooled)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [before])
    assert number(pooled) != before
