import pytest
from django.db import OperationalError, connection

from runs.reads.deadline import TooSlow, deadline

pytestmark = pytest.mark.django_db

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


def ask(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def test_stops_a_statement_that_takes_too_long():
    with pytest.raises(TooSlow, match=r"Stopped after 0\.1 s"), deadline(0.1):
        ask(ENDLESS)
    assert ask("SELECT 1") == 1


def test_is_over_when_the_block_is():
    with deadline(0.05):
        ask("SELECT 1")
    assert (
        ask(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT max(i) FROM n"
        )
        == 300_000
    )


def test_other_errors_stay_what_they_are():
    def refuse():
        raise OperationalError("disk I/O error")

    with pytest.raises(OperationalError, match="disk"), deadline(1):
        refuse()


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has no such settings")
def test_reads_in_order_as_long_as_it_is_asked_to():
    with deadline(1):
        with deadline(1, in_order=True):
            assert (ask("SHOW enable_sort"), ask("SHOW enable_bitmapscan")) == ("off", "off")
        assert (ask("SHOW enable_sort"), ask("SHOW statement_timeout")) == ("on", "1s")
    with deadline(1, in_order=True):
        assert ask("SHOW statement_timeout") == "1s"
