"""`python -m benchmarks.realtime`: how soon a thousand subscribers of one web process hear of a change."""

import asyncio
import random
import re
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import psutil

from benchmarks.support.postgres import postgres
from benchmarks.support.processes import Process, cpu_seconds, wait_until
from benchmarks.support.project import Project, on_postgres, on_sqlite
from benchmarks.support.report import Figure, Report, median, parser, percentile, progress, publish

SECONDS = 1.0
#: Connections opened at the same time.
OPENING = 50
PAUSE = 0.02
CROWD = "crowd"
STAMP = re.compile(rb'\\"at\\": ?([0-9.]+)')
LENGTH = re.compile(r"content-length: (\d+)", re.I)
END = b"0\r\n\r\n"


@dataclass
class Crowd:
    """Subscribers of one web process, each over a connection of its own."""

    address: str
    key: str
    #: Seconds between a change and its arrival.
    delays: list[float] = field(default_factory=list)
    held: int = 0
    opening: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(OPENING))

    async def subscribe(self, path: str) -> None:
        """Follow for ever, as the reference's client does."""
        place = urlsplit(self.address)
        async with self.opening:
            pair = await asyncio.open_connection(place.hostname, place.port, limit=1 << 24)
            headers = await self.ask(*pair, f"{path}offset=-1")
        while True:
            handle, offset = headers["electric-handle"], headers["electric-offset"]
            query = f"{path}offset={offset}&handle={handle}&live=true&cursor=1"
            self.held += 1
            try:
                headers = await self.ask(*pair, query)
            finally:
                self.held -= 1

    async def ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str
    ) -> dict[str, str]:
        """One request; the headers of its answer."""
        lines = (f"GET {path} HTTP/1.1", "host: bench", f"authorization: Bearer {self.key}", "", "")
        writer.write("\r\n".join(lines).encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = LENGTH.search(head)
        body = await (reader.readexactly(int(length[1])) if length else reader.readuntil(END))
        if not head.startswith("HTTP/1.1 200"):
            raise SystemExit(f"{path} answered {head.splitlines()[0]}: {body[:300]!r}")
        if path.find("live=true") > 0 and (stamp := STAMP.search(body)):
            self.delays.append(time.time() - float(stamp[1]))
        return dict(line.split(": ", 1) for line in head.splitlines()[1:] if line)


def measure(name: str, project: Project, count: int, updates: int, idle: float) -> Report:
    """Subscribe to as many runs, change some of them, then one that all subscribe to."""
    seeded = project.inside("live.seed", count=count)
    with project.web() as (web, address):
        wait_until(lambda: _answers(address), [web], within=30)
        figures = asyncio.run(
            _measured(project, web, Crowd(address, seeded["key"]), seeded["ids"], updates, idle)
        )
    return Report(f"{count:,} subscribers of one web process, {name}", figures)


async def _measured(
    project: Project, web: Process, crowd: Crowd, ids: list[str], updates: int, idle: float
) -> list[Figure]:
    before = _memory(web)
    alone = [f"/realtime/v1/runs/{run_id}?" for run_id in ids]
    async with Following(crowd, alone):
        progress("nothing changes")
        began = cpu_seconds(web.pid)
        await asyncio.sleep(idle)
        cpu = 100 * (cpu_seconds(web.pid) - began) / idle
        memory = _memory(web) - before
        progress(f"{updates} changes")
        some = random.Random(1).sample(ids, updates)
        await asyncio.to_thread(project.inside, "live.change", ids=some, pause=PAUSE)
        await _arrived(crowd, updates)
        delays, crowd.delays = crowd.delays, []
    together = [f"/realtime/v1/runs?tags={CROWD}&" for _ in ids]
    async with Following(crowd, together):
        progress("one change for all")
        await asyncio.to_thread(project.inside, "live.change", ids=ids[:1], pause=PAUSE)
        await _arrived(crowd, len(ids))
    return [
        Figure("a change of one's own run, p50", median(delays), "s"),
        Figure("  p99", percentile(delays, 99), "s"),
        Figure("  slowest", max(delays), "s", at_most=SECONDS),
        Figure("one change for all of them, slowest", max(crowd.delays), "s", at_most=SECONDS),
        Figure("CPU while nothing changes", cpu, "% of a core"),
        Figure("memory of a subscriber", 1024 * memory / len(ids), "KiB"),
    ]


class Following:
    """All subscribers, from the moment each of them is held."""

    def __init__(self, crowd: Crowd, paths: list[str]) -> None:
        self.crowd, self.paths = crowd, paths
        self.tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> None:
        progress(f"{len(self.paths):,} subscribe")
        self.tasks = [asyncio.ensure_future(self.crowd.subscribe(path)) for path in self.paths]
        until = time.monotonic() + 60
        while self.crowd.held < len(self.paths):
            for task in self.tasks:
                if task.done():
                    task.result()
            if time.monotonic() > until:
                raise SystemExit(f"Only {self.crowd.held} subscribers are held after a minute.")
            await asyncio.sleep(0.1)

    async def __aexit__(self, *_: object) -> None:
        for task in self.tasks:
            task.cancel()
        for task in self.tasks:
            with suppress(asyncio.CancelledError):
                await task


async def _arrived(crowd: Crowd, count: int) -> None:
    until = time.monotonic() + 10
    while len(crowd.delays) < count:
        if time.monotonic() > until:
            raise SystemExit(f"{len(crowd.delays)} of {count} changes arrived.")
        await asyncio.sleep(0.05)


def _memory(web: Process) -> float:
    """Resident MiB."""
    return float(psutil.Process(web.pid).memory_info().rss) / (1 << 20)


def _answers(address: str) -> bool:
    place = urlsplit(address)
    try:
        return asyncio.run(_connects(place.hostname or "", place.port or 0))
    except OSError:
        return False


async def _connects(host: str, port: int) -> bool:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET /realtime/v1/runs HTTP/1.0\r\nhost: bench\r\n\r\n")
    answered = bool(await asyncio.wait_for(reader.readline(), 5))
    writer.close()
    return answered


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--subscribers", type=int, default=1000)
    options.add_argument("--updates", type=int, default=300)
    options.add_argument("--idle", type=float, default=25)
    chosen = options.parse_args()
    sizes = (chosen.subscribers, chosen.updates, chosen.idle)
    with postgres() as server, on_postgres(server) as project:
        reports = [measure("PostgreSQL", project, *sizes)]
    with on_sqlite() as project:
        reports.append(measure("SQLite", project, *sizes))
    return publish(reports, chosen.json)


if __name__ == "__main__":
    sys.exit(main())
