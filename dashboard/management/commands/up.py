import os
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from socket import socket
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand
from django.db import connections

from dashboard.accounts import first
from dashboard.conf import environment
from dashboard.launch import assets, preflight
from dashboard.launch.plan import Plan, task_dirs, watches
from dashboard.launch.supervisor import Supervisor
from runs import conf
from runs.logformat import json_line

HELP = """\
Start Trackside: migrate the database, then run the web server and one cluster until Ctrl-C.

The first Ctrl-C lets runs finish for a while and hands back the others; a second one stops at once.
No run is lost either way.

Examples:
  python manage.py up
  python manage.py up --port 9000 --workers 4
  python manage.py up --reload       restart when files change, while you write tasks
  python manage.py up --check        say what is wrong, start nothing
"""


class Command(BaseCommand):
    help = HELP

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Keep the line breaks of the examples."""
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", help="address to listen on (HOST, 127.0.0.1)")
        parser.add_argument("--port", help="port to listen on (PORT, 8765)")
        parser.add_argument("--workers", help="worker processes of the cluster (WORKERS, 2)")
        parser.add_argument("--reload", action="store_true", help="restart when files change")
        parser.add_argument("--check", action="store_true", help="check everything, start nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._up(_plan(options), reload=options["reload"], check=options["check"])
        except (preflight.StartError, ImproperlyConfigured) as error:
            raise SystemExit(str(error)) from error

    def _up(self, plan: Plan, *, reload: bool, check: bool) -> None:
        preflight.debugging(plan.host)
        with preflight.listen(plan.host, plan.port) as listening:
            database = preflight.database()
            preflight.task_files()
            if check:
                self._say("Ready", f"everything is in order to start at {plan.address}")
                return
            preflight.migrate()
            preflight.api_key()
            assets.collect_if_stale()
            self._say("Database", database)
            self._supervise(plan, listening, reload=reload)

    def _supervise(self, plan: Plan, listening: socket, *, reload: bool) -> None:
        web, cluster = plan.web(listening), plan.cluster()
        watched = watches(web, cluster) if reload else []
        supervisor = Supervisor([web, cluster], self._tell, watched)
        self._say("Web", plan.address)
        self._say("Cluster", f"{plan.workers} workers, tasks from {_directories()}")
        self._say("Log in", _login(plan.address))
        # The supervisor keeps no connection open for its whole life.
        connections.close_all()
        supervisor.run()

    def _say(self, what: str, text: str) -> None:
        self._tell(f"{what:<9} {text}")

    def _tell(self, line: str) -> None:
        self.stdout.write(json_line(line, as_is=True) or line)
        self.stdout.flush()


def _plan(options: dict[str, Any]) -> Plan:
    """Flags win over the environment."""
    for name in ("host", "port", "workers"):
        if options[name] is not None:
            os.environ[name.upper()] = options[name]
    return Plan(
        host=environment.text("HOST", "127.0.0.1"),
        port=environment.integer("PORT", 8765, 1, 65535),
        workers=environment.integer("WORKERS", conf.get("WORKERS"), 1, 1024),
    )


def _directories() -> str:
    here = Path.cwd()
    found = [path for path in task_dirs() if path.is_dir()]
    short = [path.relative_to(here) if path.is_relative_to(here) else path for path in found]
    return ", ".join(map(str, short)) or "the installed apps"


def _login(address: str) -> str:
    path = first.link()
    return f"{address}{path} (once, within 30 minutes)" if path else address
