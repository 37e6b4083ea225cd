"""`manage.py errors`: groups of failures, and what is decided about them."""

import argparse
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from runs.durations import seconds
from runs.errors import NotFound
from runs.lifecycle import errorgroups
from runs.management.terminal import VerbCommand, actor, line
from runs.models import ErrorEvent, ErrorGroup, GroupStatus
from runs.reads.errors import GroupFilter

MOST = 1000
EVENTS = 20
EXAMPLES = """examples:
  python manage.py errors list --since 1d
  python manage.py errors list --status any --task send-mail --text timeout --json
  python manage.py errors show 3f9c2a7d00b1e4c5
  python manage.py errors resolve 3f9c2a7d00b1e4c5 --in-version v13
  python manage.py errors ignore 3f9c2a7d00b1e4c5 --for 7d --rate 100 --reason "known, see ticket"
  python manage.py errors reopen 3f9c2a7d00b1e4c5
  python manage.py errors assign 3f9c2a7d00b1e4c5 ada
  python manage.py errors note 3f9c2a7d00b1e4c5 "asked the bank"
"""


class Command(VerbCommand):
    help = "Look at errors, the groups of failures, and decide about them."
    examples = EXAMPLES

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        listed = verbs.add_parser("list", help="those that failed last, first")
        words = [*GroupStatus.values, "any"]
        listed.add_argument("--status", choices=words, default=str(GroupStatus.UNRESOLVED))
        listed.add_argument("--task", default="")
        listed.add_argument("--in-version", default="", metavar="VERSION")
        listed.add_argument("--text", default="", help="words in class, message or place")
        listed.add_argument("--since", default="7d", help="that failed within this time (7d)")
        listed.add_argument("--limit", type=int, default=50)
        listed.add_argument("--json", action="store_true", help="one JSON object a line")
        _one(verbs, "show", "one of them, with its history")
        resolve = _one(verbs, "resolve", "it is mended; it comes back if it fails again")
        resolve.add_argument("--in-version", default="", metavar="VERSION")
        resolve.add_argument("--reason", default="")
        ignore = _one(verbs, "ignore", "until the first of these, without any for ever")
        ignore.add_argument("--for", dest="length", metavar="TIME", help="as 1h30m or 7d")
        ignore.add_argument("--rate", type=int, help="more failures than this within an hour")
        ignore.add_argument("--count", type=int, help="so many more failures")
        ignore.add_argument("--reason", default="")
        _one(verbs, "reopen", "it is unresolved again")
        assign = _one(verbs, "assign", "who looks after it")
        assign.add_argument("to", nargs="?", default="", help="a name; none for nobody")
        _one(verbs, "note", "say something about it").add_argument("text")

    def do_list(self, options: dict[str, Any]) -> None:
        status = "" if options["status"] == "any" else options["status"]
        since = timezone.now() - timedelta(seconds=seconds(options["since"], "since"))
        chosen = GroupFilter(
            status=status,
            task=options["task"],
            version=options["in_version"],
            text=options["text"],
            start=since,
        )
        groups = chosen.groups().order_by("-last_at", "-fingerprint")
        found = list(groups[: min(max(options["limit"], 1), MOST)])
        for group in found:
            self.stdout.write(as_json(group) if options["json"] else row(group))
        if not found and not options["json"]:
            self.stderr.write(f"No such error failed since {_time(since)}.")

    def do_show(self, options: dict[str, Any]) -> None:
        for text in details(find(options["error"])):
            self.stdout.write(text)

    def do_resolve(self, options: dict[str, Any]) -> None:
        facts = {"version": options["in_version"], "reason": options["reason"]}
        self._told(errorgroups.resolve(key(options), actor=actor(), **facts))

    def do_ignore(self, options: dict[str, Any]) -> None:
        length = options["length"]
        until = timezone.now() + timedelta(seconds=seconds(length, "for")) if length else None
        facts = {name: options[name] for name in ("rate", "count", "reason")}
        self._told(errorgroups.ignore(key(options), actor=actor(), until=until, **facts))

    def do_reopen(self, options: dict[str, Any]) -> None:
        self._told(errorgroups.reopen(key(options), actor=actor()))

    def do_assign(self, options: dict[str, Any]) -> None:
        self._told(errorgroups.assign(key(options), options["to"], actor=actor()))

    def do_note(self, options: dict[str, Any]) -> None:
        errorgroups.write_note(key(options), options["text"], actor=actor())
        self.stdout.write("Noted.")

    def _told(self, group: ErrorGroup) -> None:
        self.stdout.write(row(group))
        if group.status == GroupStatus.IGNORED:
            self.stdout.write(f"  {errorgroups.condition(group)}")


def key(options: dict[str, Any]) -> str:
    """As pages and the API write it, or without its prefix."""
    return str(options["error"]).removeprefix("error_")


def find(text: str) -> ErrorGroup:
    group = ErrorGroup.objects.filter(pk=text.removeprefix("error_")).first()
    if group is None:
        raise NotFound(f"There is no error {text[:40]}.")
    return group


def row(group: ErrorGroup) -> str:
    """One line of a list."""
    who = f"  @{line(group.assignee, 20)}" if group.assignee else ""
    what = line(f"{group.name}: {group.message}", 70)
    counts = f"{group.total:>8,} x"
    task = line(group.task_id, 28)
    return f"error_{group.pk}  {group.status:10}  {counts}  {task:28}  {what}{who}"


def details(group: ErrorGroup) -> Iterator[str]:
    """The lines of `show`."""
    yield row(group)
    yield f"  where        {line(group.place, 200) or '-'}"
    yield f"  failed runs  {group.ended:,}"
    yield f"  first        {_time(group.first_at)}  {line(group.first_version, 64)}  {group.first_run_id}"
    yield f"  last         {_time(group.last_at)}  {line(group.last_version, 64)}  {group.last_run_id}"
    if group.status == GroupStatus.IGNORED:
        yield f"  ignored      {errorgroups.condition(group)}"
    events = ErrorEvent.objects.filter(fingerprint=group.pk).order_by("-id")[:EVENTS]
    for event in reversed(events):
        yield f"  {_time(event.at)}  {event.kind:10}  {line(event.actor, 40)}  {line(event.text, 200)}"


def as_json(group: ErrorGroup) -> str:
    """One JSON object on one line."""
    names = ["task_id", "name", "message", "place", "status", "total", "ended", "first_version"]
    names += ["last_version", "first_run_id", "last_run_id", "assignee", "reason", "resolved_in"]
    moments = {name: getattr(group, name) for name in ("first_at", "last_at", "ignored_until")}
    facts = {"id": f"error_{group.pk}"} | {name: getattr(group, name) for name in names}
    return json.dumps(facts | {name: at and at.isoformat() for name, at in moments.items()})


def _one(verbs: Any, name: str, text: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = verbs.add_parser(name, help=text)
    made.add_argument("error", help="its id, as error_3f9c2a7d00b1e4c5")
    return made


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
