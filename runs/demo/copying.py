"""Millions of runs in little time: families of runs that were told, made again at other moments.

PostgreSQL only. A copy has its runs, attempts, failures and tags; events, log lines and spans have only the runs
that were told one by one.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import DateTimeField, Model

from runs.demo.cast import IDS
from runs.demo.world import World
from runs.demo.writing import copy
from runs.models import Attempt, Failure, Run, RunTag

#: Runs made by one transaction, and families they are made of.
BATCH, FAMILIES = 25_000, 4_000
HOLDS = {
    Run: "demo_run",
    Attempt: "demo_attempt",
    Failure: "demo_failure",
    RunTag: "demo_tag",
}
#: One row for each new run: of which it is a copy, and what is different.
PLAN = """CREATE TEMP TABLE demo_plan (old text, new text, parent text, version text, moved interval)"""
#: Families that are whole and stand for themselves.
WHOLE = """
SELECT r.id FROM runs_run r
 WHERE r.task_id = ANY (%s) AND r.parent_id IS NULL AND r.batch_id IS NULL AND r.schedule_id IS NULL
   AND r.replayed_from_id IS NULL AND r.finished_at IS NOT NULL AND r.waited_attempt = 0
   AND length(coalesce(r.payload, '')) < 2000 LIMIT %s"""
PARENTS = """
SELECT r.id FROM runs_run r
 WHERE r.task_id = 'shop/fulfil-order' AND r.finished_at IS NOT NULL AND r.waited_attempt > 0
   AND NOT EXISTS (SELECT 1 FROM runs_run c WHERE c.parent_id = r.id AND c.finished_at IS NULL)
 LIMIT %s"""


class Member(NamedTuple):
    """A run of a family, and how long after the first it was made."""

    run_id: str
    parent_id: str | None
    later: timedelta


class Family(NamedTuple):
    """Runs that belong together, the first of them before its children, and how long they took."""

    began: datetime
    length: timedelta
    members: list[Member]


class Copier:
    """Makes copies of families that are in the database."""

    def __init__(self, world: World) -> None:
        self.world = world
        with connection.cursor() as cursor:
            cursor.execute(WHOLE, [list(IDS), FAMILIES])
            singles = [row[0] for row in cursor.fetchall()]
            cursor.execute(PARENTS, [max(1, len(singles) // 5)])
            self.roots = [*singles, *(row[0] for row in cursor.fetchall())]
        self.families = self._families()
        self._hold()

    def _families(self) -> list[Family]:
        wanted = Run.objects.filter(pk__in=self.roots) | Run.objects.filter(root_id__in=self.roots)
        names = ("id", "parent_id", "root_id", "created_at", "finished_at")
        found: dict[str, list[tuple[str, str | None, datetime, datetime]]] = {}
        # the root has the lowest id: it is there before its children
        for run_id, parent, root, created, finished in wanted.order_by("id").values_list(*names):
            found.setdefault(root or run_id, []).append((run_id, parent, created, finished))
        families = []
        for _, runs in sorted(found.items()):
            began, ended = runs[0][2], max(finished for *_, finished in runs)
            members = [Member(run_id, up, created - began) for run_id, up, created, _ in runs]
            families.append(Family(began, ended - began, members))
        return families

    def _hold(self) -> None:
        """What is copied, in tables of this session."""
        ids = [member.run_id for family in self.families for member in family.members]
        with connection.cursor() as cursor:
            for model, held in HOLDS.items():
                key = "id" if model is Run else "run_id"
                table = model._meta.db_table
                cursor.execute(f"DROP TABLE IF EXISTS pg_temp.{held}")
                chosen = f"SELECT * FROM {table} WHERE {key} = ANY (%s)"  # noqa: S608  our own names
                cursor.execute(f"CREATE TEMP TABLE {held} AS {chosen}", [ids])
                cursor.execute(f"ANALYZE {held}")
            cursor.execute("DROP TABLE IF EXISTS pg_temp.demo_plan")
            cursor.execute(PLAN)

    @property
    def average(self) -> float:
        """Runs in a family."""
        return sum(len(family.members) for family in self.families) / len(self.families)

    def make(self, moments: Iterator[datetime]) -> Iterator[int]:
        """Copies, a family for each moment: how many runs each transaction made."""
        plan = self._planned(moments)
        while rows := list(islice(plan, BATCH)):
            with transaction.atomic():
                self._make(rows)
            yield len(rows)

    def _planned(self, moments: Iterator[datetime]) -> Iterator[tuple[object, ...]]:
        world = self.world
        for moment in moments:
            family = world.rng.choice(self.families)
            first = min(moment, world.now - family.length)
            moved, version = first - family.began, world.version_at(first)
            new: dict[str | None, str] = {}
            for member in family.members:
                new[member.run_id] = world.new_id("run", first + member.later)
                yield member.run_id, new[member.run_id], new.get(member.parent_id), version, moved

    def _make(self, rows: list[tuple[object, ...]]) -> None:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE pg_temp.demo_plan")
        copy("COPY pg_temp.demo_plan FROM STDIN", rows)
        with connection.cursor() as cursor:
            for model, held in HOLDS.items():
                key = "id" if model is Run else "run_id"
                names, values = _columns(model)
                cursor.execute(
                    f"INSERT INTO {model._meta.db_table} ({names}) SELECT {values}"  # noqa: S608
                    f" FROM pg_temp.demo_plan p JOIN pg_temp.{held} t ON t.{key} = p.old"
                )


def _columns(model: type[Model]) -> tuple[str, str]:
    """Names of a table's columns, and what a copy holds in each."""
    different = {
        "id": "p.new",
        "run_id": "p.new",
        "parent_id": "p.parent",
        "root_id": "p.parent",
        "version": "CASE WHEN t.version = '' THEN '' ELSE p.version END",
        "counted": "false",
        "sort_key": "t.sort_key + (extract(epoch FROM p.moved) * 1000000)::bigint",
    }
    names, values = [], []
    for field in model._meta.concrete_fields:
        name = f'"{field.column}"'
        is_time = isinstance(field, DateTimeField)
        value = f"t.{name} + p.moved" if is_time else f"t.{name}"
        names.append(name)
        values.append(
            different.get(str(field.column), value) if model is Run or not is_time else value
        )
    return ", ".join(names), ", ".join(values)
