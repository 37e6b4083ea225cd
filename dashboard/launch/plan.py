"""Which services run, with which commands, and what their files are."""

import sys
from dataclasses import dataclass
from pathlib import Path
from socket import socket

from django.conf import settings

from dashboard.launch import assets
from dashboard.launch.processes import django, python_path
from dashboard.launch.service import Service
from dashboard.launch.watch import Watch
from dashboard.launch.web import GRACE_SECONDS
from runs import conf

#: What a child may need beyond its own grace to put everything back.
_SLACK_SECONDS = 5.0
_ANYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104  # recognised, not chosen


@dataclass(frozen=True)
class Plan:
    """What `up` was asked to start."""

    host: str
    port: int
    workers: int

    @property
    def address(self) -> str:
        """The address to open in a browser on this machine."""
        host = "localhost" if self.host in _ANYWHERE else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def web(self, listening: socket) -> Service:
        """The web server, on a socket that stays open while it is replaced."""
        descriptor = listening.fileno()
        return Service(
            "Web",
            [sys.executable, "-m", "dashboard.launch.web", str(descriptor)],
            grace_seconds=GRACE_SECONDS + _SLACK_SECONDS,
            environment=self._environment("web"),
            sockets=[descriptor],
        )

    def cluster(self) -> Service:
        """One django-q2 cluster; SIGTERM drains it, a second SIGTERM stops it at once."""
        return Service(
            "Cluster",
            django("qcluster"),
            grace_seconds=float(conf.get("DRAIN_SECONDS")) + _SLACK_SECONDS,
            environment=self._environment("cluster"),
        )

    def _environment(self, process: str) -> dict[str, str]:
        workers = str(self.workers)
        return python_path() | {
            "TRACKSIDE_PROCESS": process,
            "HOST": self.host,
            "PORT": str(self.port),
            "WORKERS": workers,
            "TRACKSIDE_WORKERS": workers,
        }


def watches(web: Service, cluster: Service) -> list[Watch]:
    """Task files restart the cluster; the project's own files restart both."""
    tasks = task_dirs()
    project = Path(sys.path[0] or ".").resolve()
    inside = [path for path in tasks if path.is_relative_to(project)]
    return [
        Watch(tasks, [cluster]),
        Watch([project], [web, cluster], before=_refresh, without=inside),
    ]


def task_dirs() -> list[Path]:
    """The directories task files are loaded from."""
    return [Path(path).resolve() for path in conf.get("TASK_DIRS")]


def _refresh() -> None:
    if "django.contrib.staticfiles" in settings.INSTALLED_APPS:
        assets.collect_if_stale()
