"""What is broken: clusters on machines of their own, web servers, and the database under them."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from django.db import connection

from runs.lifecycle import apikeys
from tests.chaos import watching
from tests.chaos.log import Log
from tests.chaos.plan import Figures
from tests.chaos.proxy import Proxy
from tests.chaos.webs import WebServer
from tests.support.postgres import Postgres
from tests.support.site import Cluster, Site, kill

TASKS = Path(__file__).with_name("tasks")
#: Production's ratios: heartbeat 15 s, lease 60, sweep 5, cancel grace 30, drain 30.
TIMERS = {
    "HEARTBEAT": 0.5,
    "LEASE": 2.0,
    "SWEEP": 0.3,
    "DRAIN": 1.0,
    "CANCEL_GRACE": 0.7,
    "TIMEOUT_GRACE": 0.3,
    "POLL": 0.5,
    "STAY": 1.0,
}


class Node:
    """One machine: a name, a way to the database, and the cluster on it."""

    def __init__(self, field: "Field", number: int) -> None:
        self.field, self.number, self.life = field, number, 0
        self.proxy: Proxy | None = None
        if connection.vendor == "postgresql":
            settings = connection.settings_dict
            self.proxy = Proxy(settings["HOST"], int(settings["PORT"]))
        self.cluster: Cluster
        self.host = ""

    @property
    def environment(self) -> dict[str, str]:
        given = {
            "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
            "CHAOS_LEDGER": str(self.field.ledger),
            "CHAOS_AIMS": str(self.field.aims),
            "CHAOS_NODE": self.host,
            "PGAPPNAME": watching.NAME,
            "CHAOS_HOST": self.host if self.proxy else "",
            "CHAOS_MUTANT": self.field.mutant,
            "TRACKSIDE_ASYNC_SLOTS": str(self.field.figures.async_slots),
            "TRACKSIDE_CRASH_LIMIT": "20",
        }
        if self.proxy:
            url = urlsplit(self.field.site.url)
            given["DATABASE_URL"] = url._replace(
                netloc=f"postgres@127.0.0.1:{self.proxy.port}"
            ).geturl()
        return given | {
            f"TRACKSIDE_{name}_SECONDS": str(value * self.field.figures.pace)
            for name, value in TIMERS.items()
        }

    def start(self) -> None:
        """Under a new name: its last life is found to be over by its silence alone."""
        self.life += 1
        self.host = f"node-{self.number}-{self.life}"
        workers = self.field.figures.workers
        self.cluster = self.field.site.launch(workers, TASKS, **self.environment)
        self.field.log.write("start", node=self.number, host=self.host, pid=self.cluster.pid)

    @property
    def is_ready(self) -> bool:
        return self.field.site.is_ready(self.cluster, self.field.figures.workers)

    def kill(self) -> list[int]:
        """All of it, at once."""
        tree = self.cluster.tree
        for pid in tree:
            kill(pid, signal.SIGKILL)
        self.cluster.ended()
        return tree


class Field:
    """All of it, in one directory."""

    def __init__(self, site: Site, figures: Figures, server: Postgres | None, mutant: str) -> None:
        self.site, self.figures, self.server, self.mutant = site, figures, server, mutant
        self.home = site.home
        self.ledger, self.aims = self.home / "ledgers", self.home / "aims"
        for directory in (self.ledger, self.aims):
            directory.mkdir()
        self.log = Log(self.home / "driver.jsonl")
        os.environ["CHAOS_LEDGER"] = str(self.ledger)
        self.nodes = [Node(self, number) for number in range(figures.nodes)]
        self.webs = [WebServer(site.instance, number) for number in range(figures.webs)]
        _, self.key = apikeys.create("of the chaos", actor="cli:tests")

    @property
    def lease(self) -> float:
        return TIMERS["LEASE"] * self.figures.pace

    def close(self) -> None:
        for web in self.webs:
            web.close()
        for node in self.nodes:
            if node.proxy:
                node.proxy.close()
        shutil.rmtree(self.aims, ignore_errors=True)


@contextmanager
def opened(
    site: Site, figures: Figures, server: Postgres | None = None, mutant: str = ""
) -> Iterator[Field]:
    """The site's models must be in view."""
    field = Field(site, figures, server, mutant)
    try:
        yield field
    finally:
        field.close()
