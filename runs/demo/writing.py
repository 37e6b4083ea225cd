"""Storing many rows at once: COPY where the database has it, else one statement for many."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.db import connection, transaction
from django.db.models import AutoField, BigAutoField, Model

from runs.demo.telling import Facts, Rows
from runs.models import Run
from runs.models.fields import IdField


@cache
def columns(model: type[Model]) -> tuple[tuple[str, Any], ...]:
    """Each column and what it holds where a row does not say; numbers the database gives are left out."""
    found = []
    for field in model._meta.concrete_fields:
        if isinstance(field, AutoField | BigAutoField):
            continue
        default: Any = None
        if field.has_db_default():
            default = getattr(field.db_default, "value", field.db_default)
        elif not field.null and not isinstance(field, IdField):
            default = field.get_default()
        found.append((str(field.column), default))
    return tuple(found)


def write(rows: Rows) -> int:
    """Store them in one transaction; how many runs there were."""
    with transaction.atomic():
        for model, facts in rows.items():
            store(model, facts)
    return len(rows.get(Run, ()))


def store(model: type[Model], facts: Sequence[Facts]) -> None:
    """Rows of one table. Keys that are no columns are left out."""
    wanted = columns(model)
    values = ([row.get(name, default) for name, default in wanted] for row in facts)
    names = ", ".join(f'"{name}"' for name, _ in wanted)
    table = f'"{model._meta.db_table}"'
    if connection.vendor == "postgresql":
        copy(f"COPY {table} ({names}) FROM STDIN", values)
        return
    marks = ", ".join(["%s"] * len(wanted))
    statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608  our own names
    with connection.cursor() as cursor:
        cursor.executemany(statement, [[_plain(value) for value in row] for row in values])


def copy(statement: str, rows: Iterable[Sequence[Any]]) -> None:
    """PostgreSQL's way to take many rows."""
    with connection.cursor() as cursor, cursor.copy(statement) as target:
        for row in rows:
            target.write_row(row)


def _plain(value: Any) -> Any:
    """As SQLite keeps moments."""
    return str(value.astimezone(UTC).replace(tzinfo=None)) if isinstance(value, datetime) else value
