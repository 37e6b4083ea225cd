"""Between tests that commit: the tables are emptied, not made anew."""

from typing import Any

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management.color import no_style
from django.db import connection

#: Written with the tables, of the models alone; Django's own flush fills them again every time.
KEPT = {model._meta.db_table for model in (ContentType, Permission)}
_tables: list[str] = []


def empty(_: Any = None) -> None:
    """What Django's flush does, without its new files for every table and index."""
    if not _tables:
        found = connection.introspection.django_table_names(only_existing=True, include_views=False)
        _tables.extend(sorted(set(found) - KEPT))
    connection.ops.execute_sql_flush(statements())


def statements() -> list[str]:
    if connection.vendor == "sqlite":
        return list(connection.ops.sql_flush(no_style(), _tables))
    deletes = [f'DELETE FROM "{table}"' for table in _tables]
    # neither triggers nor foreign keys are asked
    return ["; ".join(["SET LOCAL session_replication_role = replica", *deletes])]
