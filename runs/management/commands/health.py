"""`manage.py health`: what is wrong, for people, and whether a cluster lives, for what starts it."""

import json
import socket
from argparse import RawDescriptionHelpFormatter
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import Error
from django.utils import timezone

from runs.health.all import groups
from runs.health.points import BAD, NOTE, OK, WARN, Point
from runs.lifecycle import sessions as lives
from runs.models import WorkerSession
from runs.reads import sessions

WORDS = {BAD: "BAD", WARN: "look", NOTE: "note", OK: "well"}
AWAY = "The database cannot be reached: {}"


class Command(BaseCommand):
    #: It says itself what is wrong.
    requires_system_checks: tuple[str, ...] = ()
    help = """Tell what is wrong with the database, the clusters and their upkeep. Exit code 1 where something is bad.

With --cluster: whether a cluster of this machine lives, for probes of containers and systemd.

Examples:
  python manage.py health
  python manage.py health --json
  python manage.py health --cluster --lenient
  python manage.py health --cluster reports --ready"""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs["formatter_class"] = RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object per line")
        parser.add_argument(
            "--cluster",
            nargs="?",
            const="",
            metavar="NAME",
            help="only whether a cluster of this machine (of this name) sends heartbeats",
        )
        parser.add_argument(
            "--ready", action="store_true", help="with --cluster: it also takes runs now"
        )
        parser.add_argument(
            "--lenient",
            action="store_true",
            help="with --cluster: 0 where the database is away, which no restart of a cluster mends",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["cluster"] is not None:
                self._cluster(options["cluster"], ready=options["ready"])
            else:
                self._all(as_json=options["json"])
        except Error as error:
            self._away(str(error).strip().partition("\n")[0], options)

    def _all(self, *, as_json: bool) -> None:
        found = groups()
        for group, points in found.items():
            for point in points:
                self.stdout.write(_json(group, point) if as_json else _line(point))
        if any(point.tone == BAD for points in found.values() for point in points):
            raise SystemExit(1)

    def _cluster(self, name: str, *, ready: bool) -> None:
        now = timezone.now()
        named = {"cluster": name} if name else {}
        here = sessions.living().filter(host=socket.gethostname(), **named)
        ours = [one for one in here if one.boot_id == lives.boot_id()]
        if not ours:
            which = f"named {name} " if name else ""
            raise SystemExit(f"No cluster {which}of this machine has registered.")
        well = [one for one in ours if not sessions.is_stale(one, now)]
        if not well:
            at = max(one.heartbeat_at for one in ours)
            raise SystemExit(f"Silent since {at:%Y-%m-%d %H:%M:%S} UTC, for two heartbeats.")
        if ready and not any(_takes_runs(one) for one in well):
            raise SystemExit("It lives and takes no runs: it starts, or it was told to drain.")
        self.stdout.write(f"{len(well)} of {len(ours)} send heartbeats.")

    def _away(self, problem: str, options: dict[str, Any]) -> None:
        said = AWAY.format(problem)
        if options["cluster"] is None or not options["lenient"]:
            raise SystemExit(said)
        self.stdout.write(said)


def _takes_runs(session: WorkerSession) -> bool:
    return bool(session.tasks) and not session.draining


def _line(point: Point) -> str:
    todo = f"\n       {'':22}→ {point.todo}" if point.todo else ""
    return f"{WORDS[point.tone]:6} {point.name:22}{point.text}{todo}"


def _json(group: str, point: Point) -> str:
    facts = asdict(point)
    del facts["is_loud"]
    return json.dumps({"group": group, **facts})
