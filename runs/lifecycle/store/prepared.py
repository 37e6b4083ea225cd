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
Loaders = Sequence[tuple[int, Loader]]
DONE = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)


def text(value: bytes) -> str:
    return value.decode()


def flag(value: bytes) -> bool:
    return value == b"t"


def moment(value: bytes) -> datetime:
    return datetime.fromisoformat(value.decode())


def as_text(value: Parameter) -> bytes | None:
    """A parameter in PostgreSQL's text format."""
    if isinstance(value, str):  # as most are
        return value.encode()
    if value is None:
        return None
    if isinstance(value, (list, tuple)):
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
        self._loaders: dict[str, Loaders] = {}
        for name, sql in statements.items():
            checked(self._link.prepare(name.encode(), sql.encode()))

    def rows(self, name: str, *parameters: Parameter) -> list[list[Any]]:
        """The answer's rows. Raises psycopg.Error."""
        texts: list[Any] = [as_text(value) for value in parameters]
        result = checked(self._link.exec_prepared(name.encode(), texts))
        return values(result, self._loaders_of(name, result))

    def _loaders_of(self, name: str, result: pq.abc.PGresult) -> Loaders:
        found = self._loaders.get(name)
        if found is None:
            found = self._loaders[name] = loaders_of(result)
        return found


def read(result: pq.abc.PGresult) -> list[list[Any]]:
    """The rows of any statement's answer. Raises psycopg.Error."""
    return values(checked(result), loaders_of(result))


def checked(result: pq.abc.PGresult) -> pq.abc.PGresult:
    if result.status not in DONE:
        raise error_from_result(result)
    return result


def loaders_of(result: pq.abc.PGresult) -> Loaders:
    """The number of each column, and how it is read."""
    return [(column, LOADERS.get(result.ftype(column), text)) for column in range(result.nfields)]


def values(result: pq.abc.PGresult, loaders: Loaders) -> list[list[Any]]:
    return [
        [
            None if (value := result.get_value(row, column)) is None else load(value)
            for column, load in loaders
        ]
        for row in range(result.ntuples)
    ]
