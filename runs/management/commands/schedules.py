"""`manage.py schedules`: look at schedules and act on them from a shell."""

import json
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from runs import cron
from runs.errors import NotFound
from runs.lifecycle import schedules
from runs.lifecycle.schedules import Timetable
from runs.management.terminal import VerbCommand, actor, line, plain
from runs.models import CatchUp, Overlap, Schedule, ScheduleTick
from runs.reads import schedules as reads

SHOWN = 10


class Command(VerbCommand):
    help = "List, show, make and change schedules; try cron expressions."
    examples = """examples:
  python manage.py schedules list
  python manage.py schedules list --search user_42 --json | jq -r .id
  python manage.py schedules show sched_01k...
  python manage.py schedules next "30 2 * * *" --timezone Europe/Zurich
  python manage.py schedules create daily-report "0 5 * * *" --key daily-report --overlap skip
  python manage.py schedules deactivate sched_01k... --reason holidays
  python manage.py schedules activate sched_01k...
  python manage.py schedules delete sched_01k...
"""

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(
            dest="verb",
            required=True,
            metavar="list|show|next|create|activate|deactivate|delete",
        )
        listing = verbs.add_parser("list", help="schedules, the next to fire first")
        listing.add_argument("--search", default="", help="part of a task's or a schedule's id")
        listing.add_argument("--page", type=int, default=1, help=f"of {reads.PAGE} schedules")
        show = verbs.add_parser("show", help="one schedule with its next and recent fires")
        show.add_argument("schedule", help="the schedule's id")
        for verb in (listing, show):
            verb.add_argument("--json", action="store_true", help="one JSON object per line")
        trial = verbs.add_parser("next", help="when an expression fires; nothing is saved")
        _add_clock(trial)
        trial.add_argument("--count", type=int, default=SHOWN, help="how many fires (1 to 1000)")
        _add_create(verbs.add_parser("create", help="make a schedule and print its id"))
        for name in ("activate", "deactivate", "delete"):
            verb = verbs.add_parser(name)
            verb.add_argument("schedule", nargs="+", help="ids of schedules")
            verb.add_argument("--reason", default="", help="kept in the audit log")

    def do_list(self, options: dict[str, Any]) -> None:
        search = options["search"].replace("\x00", "")
        found, has_more = reads.page(search, max(options["page"], 1))
        for row in found:
            self.stdout.write(_json(row) if options["json"] else _row(row))
        if has_more:
            self.stderr.write(f"There are more: --page {options['page'] + 1}")

    def do_show(self, options: dict[str, Any]) -> None:
        row = _find(options["schedule"])
        if options["json"]:
            self.stdout.write(_json(row))
            return
        self.stdout.write(_row(row))
        for label, value in _details(row):
            self.stdout.write(f"  {label:<12} {line(value, 160)}")
        for tick in reads.ticks(row)[:SHOWN]:
            self.stdout.write(_tick(tick))

    def do_next(self, options: dict[str, Any]) -> None:
        clock = cron.parse(options["cron"], options["timezone"])
        self.stderr.write(clock.sentence)
        here = cron.zone(clock.timezone)
        for at in clock.upcoming(timezone.now(), min(max(options["count"], 1), 1000)):
            self.stdout.write(f"{at.astimezone(here):%Y-%m-%d %H:%M %Z}  {at:%Y-%m-%d %H:%M} UTC")
        for note in clock.notes(timezone.now()):
            self.stderr.write(note)

    def do_create(self, options: dict[str, Any]) -> None:
        timetable = Timetable(
            task_id=options["task"],
            cron=options["cron"],
            timezone=options["timezone"],
            external_id=options["external_id"],
            overlap=options["overlap"],
            catch_up=options["catch_up"],
            window=options["window"],
        )
        made = schedules.create(timetable, deduplication_key=options["key"], actor=actor())
        self.stdout.write(made.pk)

    def do_activate(self, options: dict[str, Any]) -> None:
        for schedule_id in options["schedule"]:
            row = schedules.activate(schedule_id, actor=actor(), reason=options["reason"])
            self.stdout.write(_row(row))

    def do_deactivate(self, options: dict[str, Any]) -> None:
        for schedule_id in options["schedule"]:
            row = schedules.deactivate(schedule_id, actor=actor(), reason=options["reason"])
            self.stdout.write(_row(row))

    def do_delete(self, options: dict[str, Any]) -> None:
        for schedule_id in options["schedule"]:
            schedules.delete(schedule_id, actor=actor(), reason=options["reason"])
            self.stdout.write(f"{plain(schedule_id)} deleted")


def _add_clock(parser: Any) -> None:
    parser.add_argument("cron", help='the expression, as in "0 5 * * MON-FRI"')
    parser.add_argument("--timezone", default="UTC", help="as in Europe/Zurich; default UTC")


def _add_create(parser: Any) -> None:
    parser.add_argument("task", help="the task's id")
    _add_clock(parser)
    parser.add_argument("--key", help="deduplication key: a known one changes that schedule")
    parser.add_argument("--external-id", help="your own id, handed to each run")
    parser.add_argument("--overlap", default="", choices=Overlap.values, help="default: the task's")
    parser.add_argument("--catch-up", default="skip", choices=CatchUp.values, help="default: skip")
    parser.add_argument("--window", default="", help='spread its fires, as in 30m or "50%%"')


def _find(schedule_id: str) -> Schedule:
    row = Schedule.objects.filter(pk=schedule_id.replace("\x00", "")).first()
    if row is None:
        raise NotFound(f"There is no schedule {schedule_id[:60]}.")
    return row


def _row(row: Schedule) -> str:
    state = "on" if row.active else "off"
    coming = f"{row.next_at:%Y-%m-%d %H:%M} UTC" if row.next_at else "–"
    zone = f"{line(row.cron, 40)} {row.timezone}"
    return f"{row.pk}  {state:<3}  {coming:<20}  {line(row.task_id, 40):<24}  {zone}"


def _details(row: Schedule) -> list[tuple[str, object]]:
    return [
        ("says", row.sentence),
        ("made", f"{row.get_type_display()}, by {row.created_by or 'code'}"),
        ("overlap", row.overlap or "as the task says"),
        ("catch up", row.catch_up),
        ("window", row.window or "–"),
        ("external id", row.external_id or "–"),
        ("key", row.deduplication_key or "–"),
        *([] if row.active else [("off", _off(row))]),
    ]


def _off(row: Schedule) -> str:
    """By whom, and why."""
    said = f": {row.paused_reason}" if row.paused_reason else ""
    return f"by {row.paused_by or 'system'}{said}"


def _tick(tick: ScheduleTick) -> str:
    times = f" x {tick.count}" if tick.count > 1 else ""
    said = " ".join(filter(None, (tick.run_id, tick.reason)))
    return f"  {tick.at:%Y-%m-%d %H:%M}  {tick.outcome}{times}  {line(said, 120)}".rstrip()


def _json(row: Schedule) -> str:
    names = (
        "task_id",
        "type",
        "active",
        "paused_reason",
        "cron",
        "timezone",
        "overlap",
        "catch_up",
        "external_id",
        "window",
    )
    facts = {"id": row.pk} | {name: getattr(row, name) for name in names}
    facts |= {"deduplication_key": row.deduplication_key, "description": row.sentence}
    return json.dumps(facts | {"next_at": row.next_at, "last_at": row.last_at}, default=str)
