"""`manage.py envvars`: the environment variables of runs."""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from runs import dotenv
from runs.encryption import decrypt
from runs.errors import Undecipherable
from runs.lifecycle import envvars
from runs.management.terminal import VerbCommand, actor, line
from runs.models import EnvVar

READ = "reads the text of a .env file from it, or from stdin for -"


class Command(VerbCommand):
    help = "List, set and delete the environment variables every run has."
    examples = """examples:
  python manage.py envvars list
  python manage.py envvars set SHOP_NAME "Corner shop"
  python manage.py envvars set SHOP_KEY --secret < key.txt
  python manage.py envvars import .env --override
  python manage.py envvars delete SHOP_NAME

Without a VALUE, set reads it from stdin, so that it is in no history of a shell; the line end
at its very end is left out. Runs that start after a change have it.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="list|set|import|delete")
        listed = verbs.add_parser("list", help="all variables, by name")
        listed.add_argument("--values", action="store_true", help="with values, but of secret ones")
        listed.add_argument("--json", action="store_true", help="one JSON object on each line")
        one = verbs.add_parser("set", help="set a variable, new or not")
        one.add_argument("name")
        one.add_argument("value", nargs="?", help="read from stdin without it")
        one.add_argument("--secret", action="store_true", help="its value is never shown again")
        several = verbs.add_parser("import", help="set all variables of a .env file, or none")
        several.add_argument("file", help=READ)
        several.add_argument("--override", action="store_true", help="also those that are set")
        several.add_argument("--secret", action="store_true", help="their values are never shown")
        verbs.add_parser("delete", help="remove a variable").add_argument("name")

    def do_list(self, options: dict[str, Any]) -> None:
        for row in EnvVar.objects.all():
            value = shown(row) if options["values"] else None
            if options["json"]:
                facts = {"name": row.name, "is_secret": row.is_secret}
                facts |= {} if value is None else {"value": value}
                self.stdout.write(json.dumps(facts))
            else:
                kind = "secret" if row.is_secret else "plain"
                told = "" if value is None else f"  {line(value, 200)}"
                self.stdout.write(f"{row.name:40}  {kind:6}  {row.updated_at:%Y-%m-%d}{told}")

    def do_set(self, options: dict[str, Any]) -> None:
        given = options["value"]
        value = sys.stdin.read().removesuffix("\n") if given is None else given
        name = options["name"]
        count = envvars.put({name: value}, actor=actor(), secret=options["secret"])
        self.stdout.write(f"{name} is set." if count else f"{name} is what it was.")

    def do_import(self, options: dict[str, Any]) -> None:
        found = dotenv.parse(contents(options["file"]))
        count = envvars.put(
            found, actor=actor(), secret=options["secret"], override=options["override"]
        )
        self.stdout.write(f"{count} of {len(found)} variables were changed.")

    def do_delete(self, options: dict[str, Any]) -> None:
        envvars.delete(options["name"], actor=actor())
        self.stdout.write(f"{options['name']} is deleted.")


def shown(row: EnvVar) -> str:
    if row.is_secret:
        return "<redacted>"
    try:
        return decrypt(row.value)
    except Undecipherable:
        return "<unreadable>"


def contents(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise CommandError(f"Cannot read {path}: {reason}.") from error
