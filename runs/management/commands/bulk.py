"""`manage.py bulk`: cancel or replay many runs in the background, from a shell."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from runs import lifecycle
from runs.errors import InvalidOption
from runs.lifecycle import bulk, bulkreasons
from runs.lifecycle.bulkoptions import BulkOptions
from runs.management import asking
from runs.management.terminal import VerbCommand, actor, line
from runs.models import BulkAction, BulkKind
from runs.reads.runfilter import RunFilter
from runs.states import RunStatus

WEEK = 7 * 86_400.0


class Command(VerbCommand):
    help = "Cancel or replay many runs in the background."
    examples = """examples:
  python manage.py bulk start replay --status failed --task send-email --since 1d
  python manage.py bulk start cancel run_01k... run_01k...
  python manage.py bulk start replay --status failed --since 1d --spread 2h --canary 10
  python manage.py bulk show bulk_01k...
  python manage.py bulk abort bulk_01k...
"""

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(
            dest="verb", required=True, metavar="start|list|show|pause|resume|abort"
        )
        start = verbs.add_parser("start", help="begin one and print its id; clusters do the work")
        start.add_argument("action", choices=["cancel", "replay"])
        start.add_argument("run", nargs="*", help="ids of runs, or say which by a filter")
        words = [status.lower() for status in RunStatus.values]
        start.add_argument("--status", action="append", choices=words, type=str.lower, default=[])
        for name in ("--task", "--tag", "--queue"):
            start.add_argument(name, action="append", default=[])
        start.add_argument("--since", metavar="DURATION", help="no older than; 7 days by default")
        start.add_argument("--name", default="", help="what it is called")
        start.add_argument("--newest-first", action="store_true", help="the oldest come first else")
        start.add_argument(
            "--per-minute", type=float, default=0, metavar="RUNS", help="as fast as it goes else"
        )
        start.add_argument("--spread", metavar="DURATION", help="evenly over this time, such as 2h")
        start.add_argument(
            "--canary", type=int, default=0, metavar="RUNS", help="replays that succeed first"
        )
        listing = verbs.add_parser("list", help="newest first")
        listing.add_argument("--limit", type=int, default=20, metavar="N")
        for name, what in (
            ("show", "how far one is, and why runs were not done"),
            ("pause", "touch no run until it is resumed"),
            ("resume", "go on with a paused one"),
            ("abort", "touch no more runs"),
        ):
            verbs.add_parser(name, help=what).add_argument("action", help="its id")

    def do_start(self, options: dict[str, Any]) -> None:
        chosen = _filter(options)
        if bool(options["run"]) == bool(chosen):
            raise InvalidOption("run", "Name runs, or say which by --status, --task and the like.")
        row = lifecycle.begin_bulk(
            BulkKind(options["action"].upper()),
            options["run"] or RunFilter(**chosen),
            name=options["name"],
            options=BulkOptions(
                newest_first=options["newest_first"],
                per_minute=options["per_minute"],
                spread=asking.span(options["spread"], "--spread") or 0,
                canary=options["canary"],
            ),
            actor=actor(),
        )
        self.stdout.write(row.pk)

    def do_list(self, options: dict[str, Any]) -> None:
        for row in BulkAction.objects.order_by("-pk")[: max(0, options["limit"])]:
            self.stdout.write(_row(row))

    def do_show(self, options: dict[str, Any]) -> None:
        row = bulk.found(options["action"].replace("\x00", ""))
        self.stdout.write(_row(row))
        for reason, refused in bulkreasons.read(row.reasons).items():
            self.stdout.write(
                f"  {refused.count:,}  {line(reason, 200)}  {' '.join(refused.runs[:3])}"
            )
        self.stdout.write(f"  {json.dumps(row.chosen)}")

    def do_pause(self, options: dict[str, Any]) -> None:
        self._turn(lifecycle.pause_bulk, options)

    def do_resume(self, options: dict[str, Any]) -> None:
        self._turn(lifecycle.resume_bulk, options)

    def do_abort(self, options: dict[str, Any]) -> None:
        self._turn(lifecycle.abort_bulk, options)

    def _turn(self, verb: Callable[..., BulkAction], options: dict[str, Any]) -> None:
        self.stdout.write(_row(verb(options["action"].replace("\x00", ""), actor=actor())))


def _filter(options: dict[str, Any]) -> dict[str, Any]:
    """What is asked for; nothing where nothing narrows it."""
    named = {name: tuple(options[name]) for name in ("task", "tag", "queue") if options[name]}
    if options["status"]:
        named["status"] = tuple(word.upper() for word in options["status"])
    if not named and not options["since"]:
        return {}
    age = asking.span(options["since"], "--since")
    start = timezone.now() - timedelta(seconds=WEEK if age is None else age)
    return {**named, "start": start}


def _row(row: BulkAction) -> str:
    counts = f"{row.success} done, {row.failure} failed, {row.total} in all"
    return f"{row.pk}  {row.kind:7}  {row.status:9}  {counts}  {line(row.name, 60)}".rstrip()
