"""What the Health page looks at: where each line turns, and that each says what to do."""

from datetime import timedelta

import pytest
from django.core import checks
from django.db import OperationalError, connection
from django.utils import timezone

from runs import migrated
from runs.health import all as health
from runs.health import clusters, database, upkeep
from runs.health.points import BAD, NOTE, OK, TONES, WARN, looked
from runs.models import Ready, RetentionRule, RollupMark, Run, Schedule, WorkerSession
from runs.reads.server import Server, Table, server
from tests.support.past import past_run
from tests.support.rows import make_session, queued_run

postgresql_only = pytest.mark.skipif(
    "connection.vendor != 'postgresql'", reason="about the server's statistics"
)


def of(look):
    found = list(look())
    assert all(point.todo for point in found if point.tone in (BAD, WARN))
    return found[0]


def tone(look):
    return of(look).tone


@pytest.mark.django_db
def test_all_is_well_and_every_line_says_what_it_is():
    make_session()
    found = health.groups()
    assert list(found) == ["Database", "Clusters", "Upkeep"]
    points = health.points()
    assert all(point.name and point.text and point.tone in TONES for point in points)
    mine = {"disk", "snapshot", "sqlite", "connections", "commits"}  # of this very machine
    assert not [point for point in points if point.tone in (BAD, WARN) and point.key not in mine]


@pytest.mark.django_db
def test_a_database_that_is_not_migrated(monkeypatch):
    monkeypatch.setattr(database, "_right_at", -1e9)
    monkeypatch.setattr(
        migrated, "problem", lambda: "It is old. Run this first: python manage.py migrate"
    )
    found = health.groups()
    assert list(found) == ["Database"]
    point = found["Database"][0]
    assert (point.tone, point.text, point.todo) == (BAD, "It is old.", "python manage.py migrate")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [({}, OK), ({"is_async": True}, BAD), ({"is_unsafe": True}, BAD)],
)
def test_commits(facts, expected):
    assert next(database.promises(Server("postgresql", "15", 0, **facts))).tone == expected


@pytest.mark.parametrize(("seconds", "expected"), [(0, OK), (299, OK), (301, WARN), (3601, BAD)])
def test_old_snapshots(seconds, expected):
    point = database.snapshot(seconds, "process 12 (psql), idle in transaction")
    assert point.tone == expected
    assert ("pg_terminate_backend(12)" in point.todo) == (expected != OK)


@pytest.mark.parametrize(
    ("live", "dead", "expected"),
    [(10, 40_000, OK), (10, 60_000, WARN), (1_000_000, 60_000, OK), (10, 600_000, BAD)],
)
def test_dead_rows(live, dead, expected):
    table = Table("runs_ready", live, dead, None)
    assert database.bloat([table, Table("runs_lease", 1, 0, None)]).tone == expected


@pytest.mark.parametrize(("count", "expected"), [(10, OK), (80, WARN), (96, BAD)])
def test_connections(count, expected):
    assert database.connections(count, 100).tone == expected


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ("3.40.1", True), ("3.51.2", True), ("3.51.3", False), ("3.52.0", False), ("3.44.6", False),
        ("3.44.5", True), ("3.50.7", False), ("3.50.6", True), ("3.6.23", False),
    ],
)  # fmt: skip
def test_versions_of_sqlite(version, affected, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ENGINE", "runs.sqlite")
    assert database.wal_reset(version).tone == (NOTE if affected else OK)
    monkeypatch.setitem(connection.settings_dict, "ENGINE", "django.db.backends.sqlite3")
    assert database.wal_reset(version).tone == (BAD if affected else OK)


@pytest.mark.parametrize(("free", "expected"), [(60e9, OK), (4e9, WARN), (0.5e9, BAD)])
def test_full_disks(free, expected, monkeypatch, tmp_path):
    class Usage:
        total = 100e9

    Usage.free = free
    monkeypatch.setattr(database, "_places", lambda: {tmp_path: "the database"})
    monkeypatch.setattr(database.shutil, "disk_usage", lambda place: Usage)
    assert tone(database.disk) == expected


def test_a_pool_that_is_used_up(monkeypatch):
    class Pool:
        def get_stats(self):
            return {"pool_size": 10, "pool_max": 10, "requests_waiting": 3, "requests_errors": 1}

    monkeypatch.setattr(database, "connection", type("Fake", (), {"pool": Pool()}))
    point = of(database.pool)
    assert point.tone == WARN
    assert "3 requests wait" in point.text


@pytest.mark.django_db
@postgresql_only
def test_what_the_server_says_of_itself():
    found = server()
    assert found.vendor == "postgresql"
    assert found.size > 0
    assert 0 < found.connections <= found.most_connections
    assert abs(found.ahead) < 5
    assert {"runs_ready", "runs_lease"} <= {table.name for table in found.tables}


@pytest.mark.django_db
def test_clusters():
    assert tone(clusters.clusters) == WARN
    queued_run()
    assert tone(clusters.clusters) == BAD
    session = make_session()
    assert tone(clusters.clusters) == OK
    WorkerSession.objects.update(heartbeat_at=timezone.now() - timedelta(hours=1))
    make_session()
    point = of(clusters.clusters)
    assert point.tone == WARN
    assert session.host in point.text


@pytest.mark.django_db
@postgresql_only
def test_clocks():
    session = make_session()
    session.refresh_from_db()
    assert abs(session.clock_ahead) < 2
    assert tone(clusters.clocks) == OK
    WorkerSession.objects.update(clock_ahead=-7)
    assert tone(clusters.clocks) == WARN
    WorkerSession.objects.update(clock_ahead=3600)
    point = of(clusters.clocks)
    assert point.tone == BAD
    assert "is 3,600 s ahead of the database" in point.text


@pytest.mark.django_db
def test_clusters_that_hear_nothing():
    make_session()
    assert tone(clusters.listening) == OK
    WorkerSession.objects.update(is_deaf=True)
    assert tone(clusters.listening) == WARN


@pytest.mark.django_db
def test_runs_nobody_can_take():
    session = make_session()
    run = queued_run()
    assert tone(clusters.unserved) == OK
    Ready.objects.update(pin="v0")
    assert "version v0" in of(clusters.unserved).text
    Ready.objects.update(pin="", lane=8)
    assert tone(clusters.unserved) == OK
    WorkerSession.objects.filter(pk=session.pk).update(capacity_cpu=4, capacity_memory=4)
    assert "large-2x" in of(clusters.unserved).text
    Ready.objects.all().delete()
    Run.objects.filter(pk=run.pk).update(status="PENDING_VERSION")
    assert "Runs of hello wait" in of(clusters.unserved).text


@pytest.mark.django_db
def test_upkeep_that_is_behind():
    make_session()
    RollupMark.objects.update_or_create(pk=1, defaults={"until": timezone.now()})
    assert tone(upkeep.counting) == OK
    RollupMark.objects.update(until=timezone.now() - timedelta(hours=3))
    assert tone(upkeep.counting) == OK  # the cluster has only just come
    WorkerSession.objects.update(started_at=timezone.now() - timedelta(hours=1))
    assert "3 h behind" in of(upkeep.counting).text
    assert tone(upkeep.schedules) == OK
    Schedule.objects.create(
        id="schedule_1", task_id="mail", cron="* * * * *",
        next_at=timezone.now() - timedelta(minutes=10),
    )  # fmt: skip
    assert "mail should have fired 10 min ago" in of(upkeep.schedules).text


@pytest.mark.django_db
def test_retention_that_is_behind(monkeypatch):
    monkeypatch.setattr(upkeep, "LOOKED_AT", 2)
    past_run(timezone.now() - timedelta(days=40))
    past_run(timezone.now() - timedelta(days=40))
    assert tone(upkeep.retention) == OK
    RetentionRule.objects.create(status="COMPLETED", days=30)
    assert "COMPLETED" in of(upkeep.retention).text
    RetentionRule.objects.update(days=39)
    assert tone(upkeep.retention) == OK


@pytest.mark.django_db
def test_a_look_that_fails_is_a_point():
    def weather():
        raise OperationalError("no weather")
        yield

    assert [(point.key, point.tone) for point in looked([weather])] == [("weather", WARN)]


@pytest.mark.django_db
def test_checks_of_django_say_it_where_a_database_is_asked_for(monkeypatch):
    monkeypatch.setattr(
        "runs.health.database.server", lambda: Server("postgresql", "15", 0, is_async=True)
    )
    found = checks.run_checks(tags=["database"], databases=["default"])
    assert "trackside.W101" in {message.id for message in found}
    assert "trackside.W101" not in {message.id for message in checks.run_checks(tags=["database"])}
