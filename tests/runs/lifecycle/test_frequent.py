"""Prepared statements on Django's connection, past psycopg's cursor where no transaction is open."""

import psycopg
import pytest
from django.db import DEFAULT_DB_ALIAS, DataError, OperationalError, connections

from runs import lifecycle
from runs.lifecycle import TriggerItem, TriggerOptions
from runs.lifecycle.store import frequent, prepared
from runs.models import Ready, Run, RunTag, Source
from tests.support.factories import task

pytestmark = [
    pytest.mark.skipif(
        connections[DEFAULT_DB_ALIAS].vendor != "postgresql", reason="SQLite prepares by itself"
    ),
    pytest.mark.django_db(transaction=True),
]
ECHO = b"SELECT $1::text, $2::int, $3::timestamptz IS NULL"


@pytest.fixture
def link():
    """A connection that may keep prepared statements, and one of its own to be broken."""
    wrapper = connections.create_connection(DEFAULT_DB_ALIAS)
    wrapper.ensure_connection()
    wrapper.connection.prepare_threshold = 2
    yield wrapper
    wrapper.close()


def asked(link, text="ä", statement=ECHO):
    answer = frequent.answer(link, statement, [text, 7, None])
    assert answer is not None
    return prepared.read(answer)


def kept(link):
    """Statements the server has prepared for this connection."""
    with link.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%%::text, %%'"
        )
        return cursor.fetchone()[0]


def test_is_prepared_once_and_answers_the_same_in_a_transaction(link):
    assert asked(link) == asked(link) == [["ä", 7, True]]
    assert kept(link) == 1
    link.set_autocommit(False)
    assert asked(link) == [["ä", 7, True]]
    link.rollback()


def test_what_it_writes_in_a_transaction_goes_with_it(link):
    link.set_autocommit(False)
    insert = b"INSERT INTO runs_codeversion SELECT * FROM runs_codeversion WHERE $1::text IS NULL"
    assert frequent.answer(link, insert, ["x"]).command_tuples == 0
    assert link.connection.pgconn.transaction_status == psycopg.pq.TransactionStatus.INTRANS
    link.rollback()


def test_is_prepared_again_after_the_server_forgot_it(link):
    other = b"SELECT $1::text, $2::int, $3::text"
    first, second = asked(link), asked(link, statement=other)
    with link.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    assert asked(link, statement=other) == second
    assert asked(link) == first
    assert kept(link) == 2


def test_a_text_is_never_cut_off(link):
    with pytest.raises(DataError, match="NUL"):
        asked(link, "a\0b")


def test_more_statements_than_it_keeps_go_by_the_cursor(link, monkeypatch):
    monkeypatch.setattr(frequent, "MOST", 0)
    assert asked(link) == [["ä", 7, True]]
    assert kept(link) == 0


def test_nothing_is_kept_where_a_pooler_lends_the_connection(link):
    link.connection.prepare_threshold = None
    assert frequent.answer(link, ECHO, ["a", 7, None]) is None


def test_a_lost_connection_is_told_as_one(link):
    asked(link)
    pid = link.connection.info.backend_pid
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    with pytest.raises(OperationalError):
        asked(link)
    assert link.connection.closed


def test_a_run_is_stored_as_it_is_by_the_function(monkeypatch):
    task()
    wrapper = connections[DEFAULT_DB_ALIAS]
    wrapper.ensure_connection()
    options = TriggerOptions(
        tags=('a,"{}\\', "b"), metadata="{}", priority=0.1, delay=60.0, ttl=1.5, is_test=True
    )
    asked = TriggerItem(task_id="send", payload='"\\"\'\\u2028%s\\\\ä"', options=options)
    lifecycle.trigger_many([asked], source=Source.API)  # makes the bucket
    found = []
    for threshold in (None, 2):
        monkeypatch.setattr(wrapper.connection, "prepare_threshold", threshold)
        (made,) = lifecycle.trigger_many([asked], source=Source.API, actor="key:ä")
        facts = Run.objects.filter(pk=made.run_id).values().get()
        assert (facts["delay_until"] - facts["created_at"]).total_seconds() == 60
        assert Ready.objects.get(pk=made.run_id).sort_key == facts["sort_key"]
        tags = RunTag.objects.filter(run_id=made.run_id).values_list("tag", flat=True)
        moving = {"id", "sort_key", "created_at", "updated_at", "delay_until"}
        found.append(({name: facts[name] for name in facts.keys() - moving}, sorted(tags)))
    assert found[0] == found[1]
    assert wrapper.connection in frequent._names
