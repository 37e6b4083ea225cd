"""`manage.py tokens`: make, complete and look at wait tokens from a shell."""

import json
from typing import Any

from django.core.management.base import CommandParser

from runs import payloads
from runs.errors import NotFound
from runs.lifecycle import tokens
from runs.management import asking
from runs.management.terminal import VerbCommand, actor, line
from runs.models import Waitpoint
from runs.states import TokenStatus


class Command(VerbCommand):
    help = "List, show, make, complete and fail wait tokens."
    examples = """examples:
  python manage.py tokens list --status waiting --tag order_7
  python manage.py tokens create --timeout 1h --tag order_7
  python manage.py tokens complete waitpoint_01k... '{"approved": true}'
  python manage.py tokens fail waitpoint_01k... "the bank refused it"
"""

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(
            dest="verb", required=True, metavar="list|show|create|complete|fail"
        )
        listing = verbs.add_parser("list", help="newest tokens first")
        listing.add_argument("--status", choices=[word.lower() for word in TokenStatus.values])
        listing.add_argument("--limit", type=int, default=20, metavar="N")
        show = verbs.add_parser("show", help="one token with what completed it")
        show.add_argument("token", help="its id")
        create = verbs.add_parser("create", help="make a token and print its id")
        create.add_argument("--timeout", metavar="DURATION|DATE", help="when it times out")
        create.add_argument("--idempotency-key", metavar="KEY", help="one token for all creates")
        for verb in (listing, create):
            verb.add_argument("--tag", action="append", default=[], help="may be repeated")
        for verb in (listing, show, create):
            verb.add_argument("--json", action="store_true", help="one JSON object per line")
        complete = verbs.add_parser("complete", help="give the run that waits its data")
        complete.add_argument("token", help="its id")
        complete.add_argument("data", nargs="?", help="JSON; null without")
        fail = verbs.add_parser("fail", help="give the run that waits an error")
        fail.add_argument("token", help="its id")
        fail.add_argument("message", help="what went wrong")

    def do_list(self, options: dict[str, Any]) -> None:
        found = Waitpoint.objects.tagged(options["tag"]).order_by("-id")
        if options["status"]:
            found = found.filter(status=options["status"].upper())
        for token in found[: max(0, options["limit"])]:
            self._print(token, options)

    def do_show(self, options: dict[str, Any]) -> None:
        token = _found(options["token"])
        self._print(token, options)
        if token.output is not None and not options["json"]:
            self.stdout.write(token.output)

    def do_create(self, options: dict[str, Any]) -> None:
        token, is_cached = tokens.create(
            timeout=asking.when(options["timeout"]),
            key=options["idempotency_key"],
            tags=options["tag"],
        )
        if is_cached:
            self.stderr.write("The idempotency key belongs to an earlier token:")
        self.stdout.write(_json(token) if options["json"] else token.pk)

    def do_complete(self, options: dict[str, Any]) -> None:
        data = None if options["data"] is None else payloads.clean(options["data"])
        token = tokens.complete(_found(options["token"]).pk, data, by=actor())
        self.stdout.write(f"{token.pk} {token.get_status_display().lower()}")

    def do_fail(self, options: dict[str, Any]) -> None:
        token = tokens.fail(_found(options["token"]).pk, options["message"], by=actor())
        self.stdout.write(f"{token.pk} {token.get_status_display().lower()}")

    def _print(self, token: Waitpoint, options: dict[str, Any]) -> None:
        self.stdout.write(_json(token) if options["json"] else _row(token))


def _found(token_id: str) -> Waitpoint:
    if "\x00" in token_id:
        raise NotFound(f"There is no token {token_id[:60]!r}.")
    return tokens.find(token_id)


def _row(token: Waitpoint) -> str:
    ends = f"times out {token.timeout_at:%Y-%m-%d %H:%M:%S}" if token.timeout_at else ""
    tags = " ".join(line(tag, 40) for tag in token.tag_list)
    return f"{token.pk}  {token.status:9}  {ends}  {tags}".rstrip()


def _json(token: Waitpoint) -> str:
    facts = {"id": token.pk, "status": str(token.status), "tags": token.tag_list}
    facts |= {"url": tokens.callback_url(token.pk), "idempotency_key": token.idempotency_key}
    for name in ("created_at", "timeout_at", "completed_at"):
        moment = getattr(token, name)
        facts[name] = moment.isoformat() if moment else None
    output = None if token.output is None else json.loads(token.output)
    return json.dumps(facts | {"output": output})
