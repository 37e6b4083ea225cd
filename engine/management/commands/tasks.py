from argparse import ArgumentParser
from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError
from django.db import Error, connection

from engine import trial
from engine.checks import TAG
from runs.lifecycle import envvars
from runs.models.task import OWN


class Command(BaseCommand):
    #: As a cluster's: those of pages import all of them.
    requires_system_checks: tuple[str, ...] = (Tags.models, Tags.database, TAG)
    help = "List the tasks a cluster would offer, and the task files that do not import."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="say only what is wrong")

    def handle(self, *args: Any, **options: Any) -> None:
        found = trial.find(stored_variables())
        if found.refusal:
            raise CommandError(found.refusal)
        for task_id, path in () if options["check"] else found.tasks:
            if not task_id.startswith(OWN):
                self.stdout.write(f"{task_id}  {path}")
        for path, error in found.broken:
            reason = error.strip().rpartition("\n")[2]
            self.stderr.write(f"Warning: {path} does not import and its tasks wait: {reason}")


def stored_variables() -> dict[str, str]:
    """The environment variables a run has, by which files may go when they are imported.

    None where there is no database yet. The process that imports must not inherit a connection.
    """
    try:
        return envvars.loaded().values
    except Error:
        return {}
    finally:
        connection.close()
