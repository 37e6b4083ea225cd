from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from engine.discovery import BrokenFile, Catalog, discover
from engine.registry import DuplicateTaskIds


class Command(BaseCommand):
    help = "List the tasks a cluster would offer, and the task files that do not import."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="say only what is wrong")

    def handle(self, *args: Any, **options: Any) -> None:
        catalog = _discover()
        if not options["check"]:
            for task in catalog.tasks:
                self.stdout.write(f"{task.id}  {task.source.file}")
        for broken in catalog.broken:
            self.stderr.write(_line(broken))


def _discover() -> Catalog:
    try:
        return discover()
    except DuplicateTaskIds as error:
        raise CommandError(str(error)) from error


def _line(broken: BrokenFile) -> str:
    reason = broken.error.strip().rpartition("\n")[2]
    return f"Warning: {broken.path} does not import and its tasks wait: {reason}"
