from argparse import ArgumentParser
from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError
from django.db import Error, connection

from engine import trial
from engine.checks import TAG
from runs import lifecycle
from runs.errors import RunsError
from runs.lifecycle import envvars
from runs.management.terminal import actor, line
from runs.models.task import OWN


class Command(BaseCommand):
    #: As a cluster's: those of pages import all of them.
    requires_system_checks: tuple[str, ...] = (Tags.models, Tags.database, TAG)
    help = (
        "List the tasks a cluster would offer, and the task files that do not import; pause and "
        "resume tasks that clusters have registered."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="say only what is wrong")
        verbs = parser.add_subparsers(dest="verb", metavar="pause|resume")
        for name, what in (("pause", "start no run of them any more"), ("resume", "go on")):
            verb = verbs.add_parser(name, help=what)
            verb.add_argument("task", nargs="+", help="ids of tasks")
            if name == "pause":
                verb.add_argument("--reason", default="", help="shown on its page, and audited")

    def handle(self, *args: Any, **options: Any) -> None:
        if options.get("verb"):
            return self._turn(options)
        return self._list(options)

    def _turn(self, options: dict[str, Any]) -> None:
        """In every queue they stand in; by the registration, whatever files lie here."""
        for task_id in options["task"]:
            try:
                if options["verb"] == "pause":
                    lifecycle.pause_task(task_id, actor=actor(), reason=options["reason"])
                else:
                    lifecycle.resume_task(task_id, actor=actor())
            except RunsError as error:
                raise CommandError(str(error)) from None
            self.stdout.write(f"{line(task_id, 128)} {options['verb']}d")

    def _list(self, options: dict[str, Any]) -> None:
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
