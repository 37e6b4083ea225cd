"""A place in a JSON document, as SQL: the text that stands there, or the number."""

import json
import re
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, F, FloatField, Func
from django.db.models.sql.compiler import SQLCompiler

from runs.keypaths import Path

#: A document with such an escape is JSON, but no `jsonb` of PostgreSQL.
LONE = r"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]"
#: Makes the cast safe and spares it where what is looked for is nowhere in the text.
GUARDED = "CASE WHEN {2} AND {0} NOT LIKE %s AND NOT ({0} LIKE %s AND {0} ~ %s) THEN {1} END"


#: Text that is written in JSON as it is, by whomever.
UNESCAPED = re.compile(r"[\w .:@+-]+", re.ASCII)


class _Place(Func):
    """What stands at `path` of the document in a text column, where the text has `value` at all."""

    arity = 1

    def __init__(self, column: str, path: Path, value: str = "") -> None:
        super().__init__(F(column))
        self.path = path
        name = next((one for one in path[::-1] if isinstance(one, str)), "")
        self.needles = [json.dumps(name)[1:-1]]
        if UNESCAPED.fullmatch(value):
            self.needles.append(value)

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any
    ) -> tuple[str, list[Any]]:
        column, _params = compiler.compile(self.source_expressions[0])
        value, given = self._postgresql(f"({column}::jsonb)", [str(one) for one in self.path])
        needles = [f"%{_escaped(needle)}%" for needle in self.needles]
        has = " AND ".join(f"{column} LIKE %s" for _ in needles)
        safe = [r"%\\u0000%", r"%\\ud%", LONE]
        return GUARDED.format(column, value, has), [*needles, *safe, *given]

    def as_sqlite(  # type: ignore[override]
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any
    ) -> tuple[str, list[Any]]:
        column, _params = compiler.compile(self.source_expressions[0])
        steps = (f"[{one}]" if isinstance(one, int) else f'."{one}"' for one in self.path)
        return self._sqlite(column, "$" + "".join(steps))

    def _postgresql(self, document: str, path: list[str]) -> tuple[str, list[Any]]:
        return f"COALESCE({document} #>> %s::text[], ({document} #> %s::text[])::text)", [
            path,
            path,
        ]

    def _sqlite(self, column: str, path: str) -> tuple[str, list[Any]]:
        # as JSON where it is none, because true and 1 would be the same
        return (
            f"CASE json_type({column}, %s) WHEN 'text' THEN json_extract({column}, %s)"
            f" ELSE {column} -> %s END",
            [path, path, path],
        )


class TextAt(_Place):
    """A string as it is, anything else as JSON; NULL where nothing is."""

    output_field = CharField()


class JsonAt(_Place):
    """The value as JSON, as each database writes it; NULL where nothing is."""

    output_field = CharField()

    def _postgresql(self, document: str, path: list[str]) -> tuple[str, list[Any]]:
        return f"({document} #> %s::text[])::text", [path]

    def _sqlite(self, column: str, path: str) -> tuple[str, list[Any]]:
        return f"{column} -> %s", [path]


def spellings(text: str) -> list[str]:
    """How JSON has what a search spells `text`: a string, or the value itself, as databases write them."""
    return [text, json.dumps(text, ensure_ascii=False), json.dumps(text)]


class NumberAt(_Place):
    """A number; NULL where there is none."""

    output_field = FloatField()

    def _postgresql(self, document: str, path: list[str]) -> tuple[str, list[Any]]:
        return (
            f"CASE jsonb_typeof({document} #> %s::text[]) WHEN 'number'"
            f" THEN ({document} #>> %s::text[])::numeric END",
            [path, path],
        )

    def _sqlite(self, column: str, path: str) -> tuple[str, list[Any]]:
        return (
            f"CASE WHEN json_type({column}, %s) IN ('integer', 'real')"
            f" THEN json_extract({column}, %s) END",
            [path, path],
        )


def _escaped(text: str) -> str:
    """For LIKE, where % and _ stand for others."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
