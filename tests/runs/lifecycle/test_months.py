import datetime
from collections import Counter

import psycopg
import pytest
from django.db import connection

from runs import lifecycle
from runs.lifecycle import months
from runs.models import LogLine
from tests.support.instance import database_url
from tests.support.threads import together

pytestmark = pytest.mark.django_db
UTC = datetime.UTC
MAY = datetime.datetime(2041, 5, 31, 23, 30, tzinfo=UTC)
JUNE = datetime.datetime(2041, 6, 1, tzinfo=UTC)

only_postgresql = pytest.mark.skipif(
    "connection.vendor != 'postgresql'", reason="an SQLite file has one table"
)


def keep(*moments, run_id="run_a"):
    """One line for each moment."""
    return LogLine.objects.bulk_create(
        LogLine(run_id=run_id, attempt=1, level=20, logger="root", message=str(at), at=at)
        for at in moments
    )


def rows(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def places():
    """How many lines each partition has."""
    return Counter(name for (name,) in rows("SELECT tableoid::regclass::text FROM runs_logline"))


def open_months(monkeypatch, moment):
    monkeypatch.setattr(months.timezone, "now", lambda: moment)
    return lifecycle.open_months()


def now():
    return datetime.datetime.now(UTC)  # noqa: TID251  the real one, also under `open_months`


def test_lines_of_any_time_are_kept_in_order():
    made = keep(MAY, now(), JUNE, datetime.datetime(1970, 1, 1, tzinfo=UTC))
    found = LogLine.objects.filter(run_id="run_a")
    assert [line.pk for line in found] == sorted(line.pk for line in made)
    assert LogLine.objects.get(pk=made[1].pk).message == made[1].message
    assert found.order_by("-id").first() == made[3]
    assert found.filter(pk__gt=made[1].pk).delete()[0] == 2


def test_the_coming_months_are_there_already():
    assert lifecycle.open_months() == 0


@only_postgresql
def test_this_month_and_those_ahead_have_partitions():
    moment = now()
    keep(moment, moment + datetime.timedelta(days=62), MAY)
    assert len(places()) == 3
    assert places()[moment.strftime("runs_logline_%Y_%m")] == 1
    assert places()["runs_logline_rest"] == 1


@only_postgresql
def test_a_month_is_made_ahead_and_once(monkeypatch):
    assert open_months(monkeypatch, MAY) == 2 * (1 + months.AHEAD)  # of lines and of spans
    assert open_months(monkeypatch, MAY) == 0
    assert open_months(monkeypatch, JUNE) == 2
    keep(MAY, JUNE)
    assert places() == {"runs_logline_2041_05": 1, "runs_logline_2041_06": 1}


@only_postgresql
def test_lines_that_came_before_their_partition_move_in(monkeypatch):
    made = keep(MAY, JUNE, JUNE.replace(year=2050))
    open_months(monkeypatch, MAY)
    assert places() == {
        "runs_logline_2041_05": 1,
        "runs_logline_2041_06": 1,
        "runs_logline_rest": 1,
    }
    assert list(LogLine.objects.filter(run_id="run_a")) == made


@only_postgresql
def test_a_runs_lines_are_found_by_index_in_every_month():
    keep(*[now()] * 20, run_id="run_b")
    rows("SELECT set_config('enable_seqscan', 'off', true)")
    query = LogLine.objects.filter(run_id="run_b", id__gt=3).order_by("id")
    plan = query.explain()
    assert "Seq Scan" not in plan
    assert plan.count("run_id_id_idx") == len(
        rows("SELECT 1 FROM pg_inherits WHERE inhparent = 'runs_logline'::regclass")
    )


@pytest.fixture
def no_months_left():
    """What the test makes goes again."""
    yield
    for (name,) in rows(
        "SELECT relname FROM pg_class WHERE relname ~ '^runs_(logline|span)_204._..$'"
    ):
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE {name}")


@only_postgresql
@pytest.mark.django_db(transaction=True)
def test_many_clusters_make_a_month_once(monkeypatch, no_months_left):
    monkeypatch.setattr(months.timezone, "now", lambda: MAY)
    keep(MAY)
    assert sum(together([lifecycle.open_months] * 6)) == 2 * (1 + months.AHEAD)
    assert places() == {"runs_logline_2041_05": 1}


@only_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_busy_table_is_left_for_the_next_time(monkeypatch, no_months_left):
    with psycopg.connect(database_url()) as reader:
        reader.execute("SELECT * FROM runs_logline").fetchall()
        monkeypatch.setattr(months, "AHEAD", 0)
        assert open_months(monkeypatch, MAY) == 1  # that of spans
        keep(now())
    assert open_months(monkeypatch, MAY) == 1


def test_old_lines_go_in_steps(monkeypatch):
    old = now() - datetime.timedelta(days=100)
    keep(old, old, old, now(), run_id="run_old")
    monkeypatch.setattr(months, "BATCH", 2)
    cutoff = now() - datetime.timedelta(days=90)
    assert [lifecycle.prune_lines(cutoff) for _ in range(3)] == [2, 1, 0]
    assert LogLine.objects.get().at > cutoff


@only_postgresql
def test_months_that_are_over_go_whole(monkeypatch):
    open_months(monkeypatch, MAY)
    keep(MAY, MAY, JUNE, now())
    moment = JUNE + datetime.timedelta(days=30)
    current = places().keys() - {"runs_logline_2041_05", "runs_logline_2041_06"}
    assert lifecycle.drop_months(JUNE - datetime.timedelta(seconds=1))[-1:] != [
        "runs_logline_2041_05"
    ]
    dropped = lifecycle.drop_months(moment - datetime.timedelta(microseconds=1))
    assert dropped == ["runs_logline_2041_05", "runs_span_2041_05"]
    assert current.isdisjoint(places())  # it is long over then
    assert places() == {"runs_logline_2041_06": 1}


@only_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_month_that_is_being_read_is_left_for_the_next_time(monkeypatch, no_months_left):
    monkeypatch.setattr(months, "AHEAD", 0)
    past = MAY.replace(year=1990)
    open_months(monkeypatch, past)
    keep(past)
    before = JUNE.replace(year=1990)
    with psycopg.connect(database_url()) as reader:
        reader.execute("SELECT * FROM runs_logline").fetchall()
        assert lifecycle.drop_months(before) == ["runs_span_1990_05"]
        assert LogLine.objects.count() == 1
    assert lifecycle.drop_months(before) == ["runs_logline_1990_05"]
    assert not LogLine.objects.exists()
