"""`manage.py alerts`: channels, rules, a test, and the log."""

import os
from typing import Any

from django.core.management.base import CommandParser

from runs.errors import InvalidOption, NotFound
from runs.lifecycle import alerts
from runs.lifecycle.alerts import Watched
from runs.management.terminal import VerbCommand, actor, line
from runs.models import AlertChannel, AlertDelivery, AlertRule, ChannelKind, RuleKind
from runs.reads import grammar
from runs.reads.runfilter import RunFilter
from runs.states import FINAL


class Command(VerbCommand):
    help = "Set up who is told of failed runs, errors, full queues and lost clusters, and see what became of it."
    examples = """examples:
  python manage.py alerts channel ops --email ops@example.com
  python manage.py alerts channel chat --slack https://hooks.slack.com/services/...
  ALERT_SECRET=... python manage.py alerts channel desk --webhook https://desk.example.com/hook
  python manage.py alerts rule "Payments fail" --when status --status failed --task charge --to ops
  python manage.py alerts rule "Mail piles up" --when backlog --over 1000 --queue mail --to ops --to chat
  python manage.py alerts rule "Charges fail" --when in_view --query "task:charge status:failed" --over 10 --to ops
  python manage.py alerts test ops
  python manage.py alerts list
  python manage.py alerts log
"""

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(
            dest="verb", required=True, metavar="list|channel|rule|test|delete|log"
        )
        verbs.add_parser("list", help="channels and rules")
        verbs.add_parser("log", help="the newest deliveries").add_argument(
            "--limit", type=int, default=20
        )
        channel = verbs.add_parser("channel", help="make a channel, or change the one of this name")
        channel.add_argument("name")
        to = channel.add_mutually_exclusive_group(required=True)
        for kind in ChannelKind.values:
            to.add_argument(f"--{kind}", metavar="ADDRESS")
        self._rule(verbs.add_parser("rule", help="make a rule, or change the one of this name"))
        for verb in ("test", "delete"):
            verbs.add_parser(verb).add_argument("name")

    def _rule(self, rule: CommandParser) -> None:
        rule.add_argument("name", help="heads every message")
        rule.add_argument("--when", choices=RuleKind.values, required=True)
        words = [status.lower() for status in sorted(FINAL)]
        rule.add_argument("--status", action="append", choices=words, default=[])
        rule.add_argument("--task", default="", help="of this task only")
        rule.add_argument("--queue", default="", help="of this queue only")
        rule.add_argument("--error", default="", help="number of an error group, of failed_so")
        rule.add_argument("--query", help="search of runs, of in_view, as in “runs list --query”")
        rule.add_argument("--over", type=float, help="runs, failures an hour, or seconds waited")
        rule.add_argument("--to", action="append", required=True, metavar="CHANNEL")

    def do_list(self, options: dict[str, Any]) -> None:
        for channel in AlertChannel.objects.all():
            state = "" if channel.active else "  off"
            self.stdout.write(f"channel  {line(channel.name, 40):40}  {channel.kind:8}  {line(channel.shown, 80)}{state}")  # fmt: skip
        for rule in AlertRule.objects.prefetch_related("channels"):
            to = ", ".join(one.name for one in rule.channels.all())
            state = "" if rule.active else "  off"
            self.stdout.write(f"rule     {line(rule.name, 40):40}  {rule.kind:12}  to {line(to, 80)}{state}")  # fmt: skip

    def do_log(self, options: dict[str, Any]) -> None:
        found = AlertDelivery.objects.select_related("channel")[: options["limit"]]
        for one in found:
            self.stdout.write(
                f"{one.at:%Y-%m-%d %H:%M:%S}  {one.status:8}  {line(one.channel.name, 30):30}  "
                f"{line(one.told['title'], 60)} ×{one.told['count']}  {line(one.answer, 120)}"
            )

    def do_channel(self, options: dict[str, Any]) -> None:
        kind = next(kind for kind in ChannelKind.values if options[kind])
        known = AlertChannel.objects.filter(name=options["name"]).first()
        saved = alerts.save_channel(
            options["name"],
            kind,
            options[kind],
            secret=os.environ.get("ALERT_SECRET", ""),
            actor=actor(),
            pk=known.pk if known else None,
        )
        self.stdout.write(f"Saved the channel “{line(saved.name, 100)}”.")

    def do_rule(self, options: dict[str, Any]) -> None:
        known = AlertRule.objects.filter(name=options["name"]).first()
        statuses = [word.upper() for word in options["status"]]
        watched = Watched(
            options["when"],
            statuses,
            options["task"],
            options["queue"],
            options["over"],
            fingerprint=options["error"],
            selection=None if options["query"] is None else _selection(options["query"]),
        )
        saved = alerts.save_rule(
            options["name"],
            watched,
            channels=[_channel(name).pk for name in options["to"]],
            actor=actor(),
            pk=known.pk if known else None,
        )
        self.stdout.write(f"Saved the rule “{line(saved.name, 100)}”.")

    def do_test(self, options: dict[str, Any]) -> None:
        made = alerts.test(_channel(options["name"]), actor=actor())
        self.stdout.write(f"{made.run_id} delivers it; see “alerts log”.")

    def do_delete(self, options: dict[str, Any]) -> None:
        row = AlertRule.objects.filter(name=options["name"]).first() or _channel(options["name"])
        alerts.delete(row, actor=actor())
        self.stdout.write(f"Deleted “{line(row.name, 100)}”.")


def _selection(query: str) -> dict[str, Any]:
    """What a search asks for, once it can be read."""
    try:
        grammar.parse(query)
    except grammar.GrammarError as error:
        raise InvalidOption("query", f"The search cannot be read: {error}") from error
    return RunFilter(query=query).facts


def _channel(name: str) -> AlertChannel:
    found = AlertChannel.objects.filter(name=name).first()
    if found is None:
        known = ", ".join(AlertChannel.objects.values_list("name", flat=True)[:20])
        raise NotFound(f"There is no alert channel “{name}”. There are: {known or 'none'}.")
    return found
