"""`manage.py apikey`: make, list and revoke the API's bearer keys."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils import timezone

from runs import durations
from runs.lifecycle import apikeys
from runs.management.terminal import VerbCommand, actor, line
from runs.models import ApiKey, Payloads, Role

UNREADABLE = (
    "SECRET_KEY has changed: its public tokens are refused until it is used once, "
    "or the former one stands in SECRET_KEY_FALLBACKS."
)


class Command(VerbCommand):
    help = "Make, list and revoke keys of the API. A key is shown once, and stored encrypted."
    examples = """examples:
  python manage.py apikey create backend
  python manage.py apikey create ci --expires 90d
  python manage.py apikey create grafana --role viewer
  python manage.py apikey create shop --role trigger --task send-email --task charge
  python manage.py apikey create support --role viewer --payloads redacted
  python manage.py apikey list
  python manage.py apikey revoke backend

In containers, set TRACKSIDE_API_KEY (32 to 200 printable characters): “manage.py up” makes
that key known at every start.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="create|list|revoke")
        create = verbs.add_parser("create", help="make a key and print it once")
        create.add_argument("name", help="what the key is for; shown wherever it acted")
        create.add_argument("--expires", metavar="DURATION", help="end after this time, like 90d")
        create.add_argument(
            "--role",
            choices=Role.values,
            default=Role.ADMIN.value,
            help="viewer reads; trigger makes runs only; operator does both and changes runs; variables "
            "are environment variables only; admin (the default) everything",
        )
        create.add_argument(
            "--task",
            action="append",
            default=[],
            metavar="ID",
            help="for runs of this task alone; up to ten times",
        )
        create.add_argument(
            "--payloads",
            choices=Payloads.values,
            help="how it reads payloads, outputs, metadata, logs and error messages: a viewer's key "
            "not at all, others as they are stored, unless this says otherwise",
        )
        verbs.add_parser("list", help="all keys, without their text")
        revoke = verbs.add_parser("revoke", help="refuse a key from now on")
        revoke.add_argument("name")

    def do_create(self, options: dict[str, Any]) -> None:
        expires = options["expires"]
        moment = timezone.now() + _duration(expires) if expires else None
        _, text = apikeys.create(
            options["name"],
            actor=actor(),
            role=options["role"],
            tasks=options["task"],
            payloads=options["payloads"],
            expires_at=moment,
        )
        self.stdout.write(text)
        address = f"http://127.0.0.1:{getattr(settings, 'PORT', 8765)}/api/v1/runs"
        self.stderr.write(
            "This key is not shown again. Use it as a header:\n"
            f'  curl -H "authorization: Bearer {text[:12]}…" {address}'
        )

    def do_list(self, options: dict[str, Any]) -> None:
        for key in ApiKey.objects.order_by("name"):
            used = f"used {_day(key.last_used_at)}" if key.last_used_at else "never used"
            tasks = "  ".join(["", *(line(task, 40) for task in key.task_list)])
            told = f"{key.prefix}…  {key.role:9}  {_state(key):22}  {used}{tasks}"
            self.stdout.write(f"{line(key.name, 40):40}  {told}")
            if key.is_live(timezone.now()) and apikeys.secret(key) is None:
                self.stdout.write(f"  {UNREADABLE}")

    def do_revoke(self, options: dict[str, Any]) -> None:
        key = apikeys.revoke(options["name"], actor=actor())
        self.stdout.write(f"Key “{line(key.name, 100)}” is revoked.")


def _duration(text: str) -> timedelta:
    return timedelta(seconds=durations.seconds(text, "--expires"))


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return f"revoked {_day(key.revoked_at)}"
    if key.expires_at is None:
        return "active"
    word = "expired" if key.expires_at <= timezone.now() else "expires"
    return f"{word} {_day(key.expires_at)}"


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
