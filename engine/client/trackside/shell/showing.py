"""What the command prints: tables for people, JSON for programs."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from trackside.client import Client
from trackside.models import Model

#: Rows that are collected to find the widths of columns; later ones keep to them.
MEASURED = 100
WIDEST = 60
Columns = Mapping[str, Callable[[Any], object]]


class Shown:
    """The server that was asked for, and how its answers are printed."""

    def __init__(self, connect: Callable[[], Client], as_json: bool) -> None:
        self._connect, self.as_json = connect, as_json
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        """Made when it is needed: `--help` needs none."""
        if self._client is None:
            self._client = self._connect()
        return self._client

    def many(self, found: Iterable[Model], columns: Columns) -> None:
        """Rows as they come."""
        if self.as_json:
            for one in found:
                self.document(one)
            return
        waiting: list[list[str]] = [list(columns)]
        widths: list[int] = []
        for one in found:
            waiting.append([text(value(one)) for value in columns.values()])
            if len(waiting) > MEASURED:
                widths = self._rows(waiting, widths)
                waiting = []
        self._rows(waiting, widths)

    def one(self, found: Model, facts: Columns) -> None:
        """One thing, a line for each fact that there is."""
        if self.as_json:
            self.document(found)
            return
        longest = max(map(len, facts))
        for name, value in facts.items():
            fact = value(found)
            if fact not in (None, "", [], {}):
                click.echo(f"{name:<{longest}}  {text(fact, None)}")

    def document(self, found: Model | Mapping[str, Any]) -> None:
        """One JSON object on one line, in the server's names."""
        if isinstance(found, Model):
            click.echo(found.model_dump_json(by_alias=True, exclude_unset=True))
        else:
            click.echo(json.dumps(found))

    def said(self, sentence: str, **facts: Any) -> None:
        """What was done; for programs its facts."""
        click.echo(json.dumps(facts) if self.as_json else safe(sentence))

    def _rows(self, rows: Sequence[Sequence[str]], widths: list[int]) -> list[int]:
        widths = widths or [
            min(max(map(len, column)), WIDEST) for column in zip(*rows, strict=True)
        ]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            click.echo("  ".join(cells).rstrip())
        return widths


def text(value: object, widest: int | None = WIDEST) -> str:
    """A value in a cell: one line, and nothing that could steer a terminal."""
    if isinstance(value, datetime):
        return f"{value.astimezone():%Y-%m-%d %H:%M:%S}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    found = safe("" if value is None else str(value))
    return found if widest is None or len(found) <= widest else found[: widest - 1] + "…"


def safe(line: str) -> str:
    """Without characters that could steer a terminal."""
    return "".join(one if one.isprintable() else "�" for one in line)
