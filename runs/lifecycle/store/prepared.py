"""Prepared statements called through libpq: psycopg's cursor costs more than such a call does."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import psycopg
from psycopg import pq
from psycopg.errors import error_from_result

Scalar = str | int | float | bool | None
Parameter = Scalar | Sequence[Scalar]
Loader = Callable[[bytes], Any]
DONE = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)


def text(value: bytes) -> str:
    return value.decode()


def flag(value: bytes) -> bool:
    return value == b"t"


def moment(value: bytes) -> datetime:
    return datetime.fromisoformat(value.decode())


def as_text(value: Parameter) -> bytes | None:
    """A parameter in PostgreSQL's text format."""
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return array(value)
    return str(value).encode()


def array(values: Sequence[Scalar]) -> bytes:
    """An array in PostgreSQL's text format (its manual, section 8.15.2)."""
    return f"{{{','.join(map(quoted, values))}}}".encode()


def quoted(value: Scalar) -> str:
    """An array's element; psycopg's own way takes four times as long."""
    if value is None:
        return "NULL"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


#: How columns are read, by the number of their type (pg_type.oid); all others are text.
LOADERS: dict[int, Loader] = {16: flag, 20: int, 23: int, 701: float, 1184: moment}


class Prepared:
    """Statements, by name, on one connection that is in autocommit mode."""

    def __init__(self, raw: psycopg.Connection[Any], statements: Mapping[str, str]) -> None:
        raw.execute("SET datestyle = 'ISO'")
        self._link = raw.pgconn
        self._loaders: dict[str, list[Loader]] = {}
        for name, sql in statements.items():
            self._checked(self._link.prepare(name.encode(), sql.encode()))

    def rows(self, name: str, *parameters: Parameter) -> list[list[Any]]:
        """The answer's rows. Raises psycopg.Error."""
        texts: list[Any] = [as_text(value) for value in parameters]
        result = self._checked(self._link.exec_prepared(name.encode(), texts))
        loaders = list(enumerate(self._loaders_of(name, result)))
        return [
            [
                None if (value := result.get_value(row, column)) is None else load(value)
                for column, load in loaders
            ]
            for row in range(result.ntuples)
        ]

    def _loaders_of(self, name: str, result: pq.abc.PGresult) -> list[Loader]:
        found = self._loaders.get(name)
        if found is None:
            found = [LOADERS.get(result.ftype(column), text) for column in range(result.nfields)]
            self._loaders[name] = found
        return found

    def _checked(self, result: pq.abc.PGresult) -> pq.abc.PGresult:
        if result.status not in DONE:
            raise error_from_result(result)
        return result
