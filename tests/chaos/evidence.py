"""All that is known of a campaign: rows, ledgers and the driver's log, as plain values.

The checker sees nothing else, so a test may make evidence up.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from django.db import connection, models

from runs.models import (
    Attempt,
    Event,
    Journal,
    Lease,
    Queue,
    Ready,
    Run,
    ScheduleTick,
    Waiter,
    Waitpoint,
    WorkerSession,
)
from tests.chaos import ledger, watching
from tests.chaos.field import TIMERS, Field
from tests.chaos.ledger import Note
from tests.chaos.plan import Plan
from tests.support.waiting import eventually

Row = dict[str, Any]
RUN = (
    "id", "task_id", "status", "payload", "output", "error", "queue", "concurrency_key", "attempt_number",
    "max_attempts", "uncounted_attempts", "crash_count", "max_duration", "idempotency_key", "parent_id",
    "schedule_id", "created_at", "delay_until", "expires_at", "finished_at", "started_at",
)  # fmt: skip
#: Lines of logs that tell of a mistake; what a fault brings with it is a warning, or one of these.
MISTAKES = re.compile(r"CRITICAL|Internal Server Error|cannot become")
FAULTS = re.compile(r"The cluster's supervisor ended unexpectedly")
#: What may stand between a traceback's first line and its last: itself, and lines of other processes.
SAME = re.compile(r"[ |+\t]|\d{4}-\d\d-\d\d ")
#: How a traceback ends that comes of a database that is away.
AWAY = re.compile(
    r"[\w.]*(OperationalError|InterfaceError|AdminShutdown|CannotConnectNow|ConnectionTimeout|PoolTimeout"
    r"|ConnectionException|CrashShutdown|IdleInTransactionSessionTimeout|QueryCanceled)\b"
    r"|[\w.]*DatabaseError: (server closed|consuming input failed|terminating connection|connection)"
)


class Absence(NamedTuple):
    """From when to when a node was not there; killed ones never come back."""

    host: str
    since: float
    until: float
    kind: str


@dataclass
class Evidence:
    """`notes` are of the bodies and whoever was aimed at, `log` is the driver's. Times are of one clock."""

    runs: dict[str, Row] = field(default_factory=dict)
    events: list[Row] = field(default_factory=list)
    attempts: list[Row] = field(default_factory=list)
    journal: list[Row] = field(default_factory=list)
    tokens: dict[str, Row] = field(default_factory=dict)
    ticks: list[Row] = field(default_factory=list)
    sessions: dict[str, Row] = field(default_factory=dict)
    #: Name to (for each key, for all together).
    limits: dict[str, tuple[int | None, int | None]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    log: list[Note] = field(default_factory=list)
    leases: list[str] = field(default_factory=list)
    ready: list[str] = field(default_factory=list)
    waiters: list[str] = field(default_factory=list)
    breaches: list[tuple[str, str, int, int]] = field(default_factory=list)
    #: What the database says about itself, where something is wrong; deadlocks it counted.
    damage: list[str] = field(default_factory=list)
    deadlocks: int = 0
    mistakes: list[str] = field(default_factory=list)
    processes: list[int] = field(default_factory=list)
    backends: int = 0
    lease: float = TIMERS["LEASE"]
    #: How many processes wanted each core of the machine, at most.
    crowd: float = 1.0

    @cached_property
    def accepted(self) -> dict[str, Note]:
        return {line["run"]: line for line in self.log if line["what"] == "accepted"}

    @cached_property
    def events_of(self) -> dict[str, list[Row]]:
        return grouped(self.events, "run_id")

    @cached_property
    def attempts_of(self) -> dict[str, list[Row]]:
        return grouped(self.attempts, "run_id")

    @cached_property
    def notes_of(self) -> dict[str, list[Note]]:
        return grouped([note for note in self.notes if "run" in note], "run")

    @cached_property
    def deaths(self) -> dict[int, float]:
        """When each process that was killed was, as far as somebody wrote it down."""
        found: dict[int, float] = {}
        for line in self.log:
            if line["what"] == "kill":
                for pid in line["pids"]:
                    found.setdefault(pid, line["at"])
        for note in self.notes:
            if note["what"] in ("aimed", "suicide"):
                found.setdefault(note["pid"], note["at"])
        return found

    @cached_property
    def absences(self) -> dict[str, list[Absence]]:
        """Of each node."""
        found: dict[str, list[Absence]] = defaultdict(list)
        for line in self.log:
            match line:
                case {"what": "kill", "kind": "node", "host": host, "at": at}:
                    found[host].append(Absence(host, at, float("inf"), "killed"))
                case {"what": "go-on", "host": host, "since": since, "at": at}:
                    found[host].append(Absence(host, since, at, "stopped"))
                case {"what": "healed", "host": host, "since": since, "at": at}:
                    found[host].append(Absence(host, since, at, "cut off"))
        for session in self.sessions.values():
            if session["state"] == "DEAD":  # it hears of that when it speaks next
                since, until = session["heartbeat_at"], session["stopped_at"] + self.lease
                host = self.host_of(session["id"])
                found[host].append(Absence(host, since, until, "given up"))
        return found

    def was_killed(self, host: str) -> bool:
        return any(absence.kind == "killed" for absence in self.absences[host])

    @cached_property
    def outages(self) -> list[tuple[float, float]]:
        """From when to when the database did not answer."""
        return [(o["began"], o["at"]) for o in self.log if o["what"] == "outage"]

    @property
    def silence(self) -> float:
        """Seconds until a node that says nothing is given up: its lease, a sweep, a look, a claim."""
        pace = self.lease / TIMERS["LEASE"]
        return self.lease + pace * (TIMERS["SWEEP"] * 1.2 + TIMERS["POLL"]) + 1.0

    def host_of(self, session_id: str) -> str:
        """The node that a session was of."""
        pid = self.sessions[session_id]["pid"] if session_id in self.sessions else 0
        starts = [line for line in self.log if line["what"] == "start" and line["pid"] == pid]
        return str(starts[-1]["host"]) if starts else ""

    def was_hurt(self, host: str, since: float, until: float) -> bool:
        """Whether the node lost a process or packets in this time."""
        by_us = (
            (line["host"], line["at"])
            for line in self.log
            if line["what"] in ("kill", "lose", "stop")
        )
        by_aim = ((note["host"], note["at"]) for note in self.notes if note["what"] == "aimed")
        return any(name == host and since <= at <= until for name, at in (*by_us, *by_aim))

    def had_strike(self, host: str, since: float, until: float) -> bool:
        """The same, or the server; in this time or shortly before."""
        return self.was_out(since - 10.0, until) or self.was_hurt(host, since - 10.0, until)

    def was_away(self, host: str, since: float, until: float | None = None) -> bool:
        """Whether the node was not there at this moment, or at one in this time; or just back."""
        until = since if until is None else until
        return any(a.since <= until and since <= a.until + 1.0 for a in self.absences.get(host, ()))

    def was_out(self, since: float, until: float) -> bool:
        return any(began <= until and since <= ended + 5.0 for began, ended in self.outages)

    def of_kind(self, *kinds: str) -> Iterator[tuple[Row, Note]]:
        """Accepted runs of these kinds that are in the database, with the words they were accepted with."""
        for run_id, line in self.accepted.items():
            if line["kind"] in kinds and run_id in self.runs:
                yield self.runs[run_id], line


def grouped(rows: list[Any], name: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        found[row[name]].append(row)
    return found


def rows_of(query: models.QuerySet[Any], *names: str) -> list[Row]:
    return [plain(row) for row in query.values(*names)]


def plain(row: Row) -> Row:
    """Moments as seconds since 1970, as everybody else writes them."""
    return {k: v.timestamp() if isinstance(v, datetime) else v for k, v in row.items()}


def of_database(field: Field, plan: Plan) -> Evidence:
    """Once everything is quiet."""
    connection.close()
    tokens = rows_of(Waitpoint.objects, "id", "status", "output", "completed_at", "timeout_at")
    queues = Queue.objects.values_list("name", "concurrency_limit", "total_limit")
    return Evidence(
        runs={row["id"]: row for row in rows_of(Run.objects, *RUN)},
        events=rows_of(Event.objects.order_by("id")),
        attempts=rows_of(Attempt.objects.order_by("run_id", "number")),
        journal=rows_of(Journal.objects),
        tokens={row["id"]: row for row in tokens},
        ticks=rows_of(ScheduleTick.objects),
        sessions={row["id"]: row for row in rows_of(WorkerSession.objects)},
        lease=field.lease,
        limits={name: (each, total) for name, each, total in queues},
        notes=ledger.read(field.ledger),
        leases=list(Lease.objects.values_list("run_id", flat=True)),
        ready=list(Ready.objects.values_list("run_id", flat=True)),
        waiters=list(Waiter.objects.values_list("run_id", flat=True)),
        breaches=watching.breaches(),
        damage=watching.damage(),
        deadlocks=watching.deadlocks(field.server),
    )


def after_the_end(field: Field, found: Evidence) -> None:
    """Once the clusters were told to stop."""
    try:
        eventually(lambda: not field.site.marked(), within=10)
    except AssertionError:
        found.processes = field.site.marked()
    for web in field.webs:
        web.kill()
    try:
        eventually(lambda: not watching.backends(), within=5)
    except AssertionError:
        found.backends = watching.backends()
    found.log = list(field.log.lines)
    found.crowd = max([1.0, *(line["load"] for line in found.log if line["what"] == "load")])
    for path in (field.home / "log", *field.home.glob("web-*.log")):
        found.mistakes += mistakes_in(path.read_text(errors="replace").splitlines())


def mistakes_in(lines: list[str]) -> Iterator[str]:
    """Lines that tell of a mistake, and the last ones of tracebacks that nothing planned explains."""
    is_inside = False
    for line in lines:
        if MISTAKES.search(line) and not FAULTS.search(line):
            yield line
        if line.startswith("Traceback "):
            is_inside = True
        elif is_inside and line and not SAME.match(line):
            is_inside = False
            if not AWAY.match(line):
                yield line
