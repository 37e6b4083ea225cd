from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from dashboard.openapi import served
from runs import payloads

HELP = "Write the API's OpenAPI 3.1 document, to standard output or to a file."


class Command(BaseCommand):
    help = HELP
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--output", metavar="FILE", type=Path, help="write it here")
        parser.add_argument("--server", default="/", help="the address it is served below")

    def handle(self, *args: Any, **options: Any) -> None:
        text = payloads.dumps(served.whole(options["server"]))
        if options["output"] is None:
            self.stdout.write(text)
            return
        try:
            options["output"].write_text(text + "\n")
        except OSError as error:
            raise CommandError(f"{options['output']} cannot be written: {error}") from error
