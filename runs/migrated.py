"""Whether the database has the tables and functions this code was written for."""

import re
from collections.abc import Iterable
from pathlib import Path

from django.apps import apps
from django.db import connection
from django.db.migrations.loader import MigrationLoader

APP = "runs"
FUNCTIONS = Path(__file__).parent / "sql" / "postgresql"


def problem() -> str:
    """Why this code cannot work on this database and what to do, in a sentence; empty if it can."""
    loader = MigrationLoader(connection)
    return newer(loader) or older(loader) or damaged()


def newer(loader: MigrationLoader | None = None) -> str:
    """The sentence for a database that a later version of this code has changed."""
    loader = loader or MigrationLoader(connection)
    unknown = applied(loader) - names(loader.disk_migrations) - replaced(loader)
    if not unknown:
        return ""
    return (
        f"The database is newer than this code, which does not know its migration {max(unknown)}: "
        "install the version of Trackside that made it, or with that version run: "
        f"python manage.py migrate {APP} {max(names(loader.disk_migrations))}"
    )


def older(loader: MigrationLoader) -> str:
    """The sentence for a database that still has migrations before it."""
    if names(loader.graph.nodes) <= applied(loader):
        return ""
    return "The database is not up to date. Run this first: python manage.py migrate"


def damaged() -> str:
    """The sentence for a database that lacks what its migrations are recorded to have made."""
    tables = {model._meta.db_table for model in apps.get_app_config(APP).get_models()}
    if lost := tables - set(connection.introspection.table_names()):
        return f"The database has lost its table {min(lost)}: restore it from a backup."
    if lost := missing_functions():
        return (
            f"The database has lost its function {min(lost)}. Run this first: "
            f"python manage.py migrate {APP} 0001 --fake && python manage.py migrate {APP}"
        )
    return ""


def missing_functions() -> set[str]:
    if connection.vendor != "postgresql":
        return set()
    text = "".join(path.read_text() for path in FUNCTIONS.glob("*.sql"))
    wanted = set(re.findall(r"CREATE OR REPLACE FUNCTION (\w+)", text))
    with connection.cursor() as cursor:
        cursor.execute("SELECT proname FROM pg_proc WHERE pg_function_is_visible(oid)")
        return wanted - {row[0] for row in cursor.fetchall()}


def applied(loader: MigrationLoader) -> set[str]:
    return names(loader.applied_migrations or ())


def replaced(loader: MigrationLoader) -> set[str]:
    """Names of migrations that were squashed into others."""
    return {name for migration in loader.replacements.values() for _, name in migration.replaces}


def names(keys: Iterable[tuple[str, str]]) -> set[str]:
    return {name for app, name in keys if app == APP}
