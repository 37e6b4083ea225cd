import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from runs import migrated

pytestmark = pytest.mark.django_db


def record(name):
    MigrationRecorder(connection).record_applied("runs", name)


def forget(name):
    MigrationRecorder(connection).record_unapplied("runs", name)


def execute(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_migrated_database_is_fine():
    assert migrated.problem() == ""


@pytest.mark.parametrize("name", ["0001_initial", "0002_guards_and_verbs"])
def test_a_missing_migration_names_the_command(name):
    forget(name)
    assert migrated.problem().endswith("Run this first: python manage.py migrate")
    assert migrated.newer() == ""


def test_a_database_from_the_future_is_refused():
    record("9999_from_the_future")
    assert "newer than this code" in migrated.problem()
    assert "9999_from_the_future" in migrated.newer()


def test_migrations_of_other_apps_are_their_own():
    MigrationRecorder(connection).record_applied("shop", "9999_from_the_future")
    MigrationRecorder(connection).record_unapplied("auth", "0001_initial")
    assert migrated.problem() == ""


def test_a_lost_table_is_named():
    execute("DROP TABLE runs_lease")
    assert "has lost its table runs_lease" in migrated.problem()


def test_a_lost_function_is_named_with_the_command():
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no server functions")
    execute("DROP FUNCTION trackside_claim")
    problem = migrated.problem()
    assert "has lost its function trackside_claim" in problem
    assert "migrate runs 0001 --fake && python manage.py migrate runs" in problem
    call_command("migrate", "runs", "0001", fake=True, verbosity=0)
    call_command("migrate", "runs", verbosity=0)
    assert migrated.problem() == ""
