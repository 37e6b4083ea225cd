"""`manage.py qcluster`: one Trackside cluster, in place of django-q2's own command."""

import os
from argparse import ArgumentTypeError, RawDescriptionHelpFormatter
from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandParser
from django.db import Error

from engine import discovery, versions
from engine.checks import TAG
from engine.cluster import cluster
from runs import migrated, pooling

#: Workers of one cluster.
MOST = 1024


class Command(BaseCommand):
    #: What a cluster uses: those of pages import all of them into every worker.
    requires_system_checks: tuple[str, ...] = (Tags.models, Tags.database, TAG)
    help = """Execute runs on this machine until stopped.

SIGTERM or Ctrl-C: claim nothing more, let runs finish for TRACKSIDE_DRAIN_SECONDS, hand the rest
back. The same signal again: stop at once; nothing is lost.

Examples:
  python manage.py qcluster
  python manage.py qcluster --workers 8 --name reports"""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs["formatter_class"] = RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--workers", type=some, help="worker processes, 1 to 1024 (default: WORKERS)"
        )
        parser.add_argument(
            "--name",
            default=os.environ.get("Q_CLUSTER_NAME", "default"),
            help="shown on the Workers page",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if problem := database_problem():
            raise SystemExit(problem)
        cluster.run(
            workers=options["workers"],
            name=options["name"],
            version=versions.current(discovery.task_directories()),
        )


def some(text: str) -> int:
    """How many workers `--workers` asks for."""
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise ArgumentTypeError(f"a whole number from 1 to {MOST} is needed, not “{text}”")
    return int(text)


def database_problem() -> str:
    """What keeps a cluster from working on this database; empty if nothing does."""
    try:
        return migrated.problem() or pooling.problem()
    except Error as error:
        line = str(error).strip().partition("\n")[0]
        asked = pooling.hint(line) or " Is it running, and its address right?"
        return f"Cannot reach the database: {line.rstrip('.')}.{asked}"
