"""`python -m benchmarks.http`: runs triggered over HTTP, beside the same stack's empty answer."""

import json
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.support.postgres import Server, postgres
from benchmarks.support.processes import running, wait_until
from benchmarks.support.project import Project, on_postgres
from benchmarks.support.report import (
    Figure,
    Report,
    median,
    parser,
    percentile,
    progress,
    publish,
    spread,
)

CONNECTIONS, WEB_WORKERS = 8, 2
RATE, LONGEST = 300, 0.1
START_SECONDS = 30
TRIGGER = "/api/v1/tasks/bench-noop/trigger"
EMPTY = "/empty"
#: The limit is counted as ever, and not met: its default is less than a fast machine answers.
UNMET = "100000/10s"
BODY = json.dumps({"payload": {"to": "ann@example.com", "n": 1}, "options": {"tags": ["bench"]}})


@dataclass(slots=True)
class Round:
    """What the connections of one round saw."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds


@contextmanager
def web(project: Project) -> Iterator[str]:
    """As many web processes as a deployment of this size has, on one socket; their address."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        port, descriptor = listening.getsockname()[1], listening.fileno()
        command = [sys.executable, "-m", "benchmarks.support.web", str(descriptor)]
        environment = {**project.environment, "TRACKSIDE_PROCESS": "web", "PORT": str(port)}
        with running(
            *[command] * WEB_WORKERS, environment=environment, sockets=[descriptor]
        ) as processes:
            address = f"127.0.0.1:{port}"
            wait_until(lambda: _answers(address), processes, within=START_SECONDS)
            yield address


def _answers(address: str) -> bool:
    try:
        return Caller(address, "").ask(EMPTY) == 200
    except OSError:
        return False


class Caller:
    """One kept connection, read with as little effort as there can be: the server is what counts."""

    def __init__(self, address: str, key: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        common = f"host: {address}\r\nauthorization: Bearer {key}\r\n"
        length = f"content-type: application/json\r\ncontent-length: {len(BODY)}\r\n\r\n"
        self._requests = {
            EMPTY: f"GET {EMPTY} HTTP/1.1\r\n{common}\r\n".encode(),
            TRIGGER: f"POST {TRIGGER} HTTP/1.1\r\n{common}{length}{BODY}".encode(),
        }

    def ask(self, path: str) -> int:
        """The status of the answer, which has come as a whole."""
        self._socket.sendall(self._requests[path])
        answer = self._socket.recv(65536)
        while not _is_whole(answer):
            more = self._socket.recv(65536)
            if not more:
                raise OSError("the connection was closed")
            answer += more
        return int(answer[9:12])


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    return bool(end) and length is not None and len(body) >= int(length[1])


def load(address: str, key: str, path: str, seconds: float) -> Round:
    """CONNECTIONS callers, each asking again as soon as it was answered."""
    found, begun = Round(), time.perf_counter()
    bad: list[object] = []

    def ask() -> None:
        caller = Caller(address, key)
        while (at := time.perf_counter()) < begun + seconds:
            if (status := caller.ask(path)) != 200:
                bad.append(status)
                return
            found.latencies.append(time.perf_counter() - at)

    threads = [threading.Thread(target=ask) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.seconds = time.perf_counter() - begun
    if bad:
        raise SystemExit(f"{path} answered {bad[0]}.")
    return found


def measure(server: Server, seconds: float, repetitions: int) -> Report:
    """Trigger and empty view by turns, so that a slow minute hits both."""
    triggered, empty = [], []
    with on_postgres(server, "http", TRACKSIDE_API_RATE_LIMIT=UNMET) as project:
        key = project.manage("apikey", "create", "bench").strip()
        with web(project) as address:
            load(address, key, TRIGGER, 1)
            for number in range(repetitions):
                progress(f"http, repetition {number + 1} of {repetitions}")
                empty.append(load(address, key, EMPTY, seconds))
                triggered.append(load(address, key, TRIGGER, seconds))
        made = project.value("SELECT count(*) FROM runs_run")
    if made < sum(len(one.latencies) for one in triggered):
        raise SystemExit("Fewer runs were made than triggers were answered.")
    return report(triggered, empty)


def report(triggered: list[Round], empty: list[Round]) -> Report:
    rates = [one.rate for one in triggered]
    waited = [1000 * each for one in triggered for each in one.latencies]
    bare = median([one.rate for one in empty])
    return Report(
        f"Trigger over HTTP, PostgreSQL, {CONNECTIONS} connections, {WEB_WORKERS} web processes",
        [
            Figure("triggers", median(rates), "requests/s", at_least=RATE, note=spread(rates)),
            Figure("… p50", percentile(waited, 50), "ms"),
            Figure("… p99", percentile(waited, 99), "ms", at_most=1000 * LONGEST),
            Figure("an empty JSON view of the same stack", bare, "requests/s"),
            Figure("trigger / empty view", median(rates) / bare),
        ],
        ["The callers share the processors with the server and the database."],
    )


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--seconds", type=float, default=8)
    options.add_argument("--repeat", type=int, default=3)
    chosen = options.parse_args()
    with postgres() as server:
        measured = measure(server, chosen.seconds, chosen.repeat)
    return publish([measured], chosen.json)


if __name__ == "__main__":
    sys.exit(main())
