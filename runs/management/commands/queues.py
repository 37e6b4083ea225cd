"""`manage.py queues`: look at queues, pause them and override their limits from a shell."""

import json
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from runs import lifecycle
from runs.errors import InvalidOption
from runs.lifecycle import Limits
from runs.management import asking
from runs.management.terminal import VerbCommand, actor, line
from runs.models import Queue
from runs.reads.queues import Load, loads


class Command(VerbCommand):
    help = "List queues, pause and resume them, override their limits."
    examples = """examples:
  python manage.py queues list
  python manage.py queues pause mail --reason "the provider is down"
  python manage.py queues pause --all --reason incident
  python manage.py queues resume --all
  python manage.py queues override mail --limit 2 --for 2h --reason "go easy"
  python manage.py queues reset mail
"""

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(
            dest="verb", required=True, metavar="list|pause|resume|override|reset"
        )
        listing = verbs.add_parser("list", help="queues with what stands in them")
        listing.add_argument("--json", action="store_true", help="one JSON object per line")
        for name, what in (("pause", "start no run any more"), ("resume", "start runs again")):
            verb = verbs.add_parser(name, help=what)
            verb.add_argument("queue", nargs="*", help="names of queues")
            verb.add_argument("--all", action="store_true", help="all queues, also later ones")
            if name == "pause":
                _add_reason(verb)
        override = verbs.add_parser("override", help="other limits than those in code")
        override.add_argument("queue", help="its name")
        override.add_argument("--limit", type=int, metavar="N", help="of each concurrency key")
        override.add_argument("--total", type=int, metavar="N", help="of all keys together")
        override.add_argument("--rate", metavar="RATE", help="starts of each key, as in 100/1m")
        override.add_argument("--for", dest="span", metavar="DURATION", help="ends by itself")
        _add_reason(override)
        reset = verbs.add_parser("reset", help="back to the limits in code")
        reset.add_argument("queue", nargs="+", help="names of queues")
        _add_reason(reset)

    def do_list(self, options: dict[str, Any]) -> None:
        known = loads()
        for queue in Queue.objects.order_by("name"):
            load = known.get(queue.pk, Load())
            self.stdout.write(_json(queue, load) if options["json"] else _row(queue, load))

    def do_pause(self, options: dict[str, Any]) -> None:
        if _all(options):
            count = lifecycle.pause_all(actor=actor(), reason=options["reason"])
            self.stdout.write(f"{count} queues paused")
        for name in options["queue"]:
            lifecycle.pause(name, actor=actor(), reason=options["reason"])
            self.stdout.write(f"{line(name, 128)} paused")

    def do_resume(self, options: dict[str, Any]) -> None:
        if _all(options):
            self.stdout.write(f"{lifecycle.resume_all(actor=actor())} queues resumed")
        for name in options["queue"]:
            lifecycle.resume(name, actor=actor())
            self.stdout.write(f"{line(name, 128)} resumed")

    def do_override(self, options: dict[str, Any]) -> None:
        limits = Limits(options["limit"], options["total"], options["rate"])
        seconds = asking.span(options["span"], "--for")
        until = None if seconds is None else timezone.now() + timedelta(seconds=seconds)
        queue = lifecycle.override_limits(
            options["queue"], limits, actor=actor(), reason=options["reason"], expires_at=until
        )
        self.stdout.write(_row(queue, loads().get(queue.pk, Load())))

    def do_reset(self, options: dict[str, Any]) -> None:
        for name in options["queue"]:
            lifecycle.reset_limit(name, actor=actor(), reason=options["reason"])
            self.stdout.write(f"{line(name, 128)} reset")


def _add_reason(parser: Any) -> None:
    parser.add_argument("--reason", default="", help="shown on the queue's page, and audited")


def _all(options: dict[str, Any]) -> bool:
    """Whether all queues are meant. Raises InvalidOption unless either all or some are named."""
    if bool(options["queue"]) == options["all"]:
        raise InvalidOption("queue", "Name the queues, or say --all.")
    return bool(options["all"])


def _row(queue: Queue, load: Load) -> str:
    state = "paused" if queue.paused else "open"
    limits = [f"limit {queue.limit}"] if queue.limit is not None else []
    limits += [f"total {queue.total}"] if queue.total is not None else []
    limits += [queue.rate.text] if queue.rate is not None else []
    limits += ["(overridden)"] if queue.is_overridden else []
    stands = f"{load.running} running, {load.queued_text} queued"
    return f"{line(queue.name, 40):40}  {state:6}  {stands:28}  {' '.join(limits)}".rstrip()


def _json(queue: Queue, load: Load) -> str:
    facts = {"name": queue.name, "kind": queue.kind, "paused": queue.paused}
    facts |= {"limit": queue.limit, "total": queue.total}
    facts |= {"rate": queue.rate.text if queue.rate else None, "overridden": queue.is_overridden}
    return json.dumps(facts | {"running": load.running, "queued": load.queued})
