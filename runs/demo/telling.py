"""The rows a run leaves behind, one method for each thing that happens to it."""

import json
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Model

from runs import fingerprints, tracing
from runs.demo import documents
from runs.demo.cast import Part
from runs.demo.world import World
from runs.models import Attempt, Event, EventKind, Failure, Journal, LogLine, Run, RunTag, Span
from runs.states import AttemptStatus, EntryStatus, RunStatus

Facts = dict[str, Any]
Rows = dict[type[Model], list[Facts]]
PROCESS = (3120, 3977)


def seconds(length: float) -> timedelta:
    return timedelta(seconds=length)


class Telling:
    """Collects the rows of runs. A run is the dict of its columns until all is told."""

    def __init__(self, world: World) -> None:
        self.world, self.rng = world, world.rng
        self.rows: Rows = defaultdict(list)
        #: Whether log lines and spans are told too.
        self.detailed = True

    def taken(self) -> Rows:
        """What was told since the last call."""
        taken, self.rows = self.rows, defaultdict(list)
        return taken

    def begin(self, part: Part, created: datetime, **given: Any) -> Facts:
        """The run is triggered."""
        who = given.pop("who", None) or documents.customer(self.rng)
        payload = given.pop("payload", None) or documents.payload(part, who, self.rng)
        tags = sorted({*part.tags, f"customer:{who}"} if part.is_keyed else {*part.tags})
        run = {
            "id": self.world.new_id("run", created),
            "task_id": part.id,
            "queue": part.queue_name,
            "status": RunStatus.QUEUED,
            "payload": documents.text(payload),
            "tags": json.dumps(tags),
            "concurrency_key": who if part.is_keyed else None,
            "sort_key": int(created.timestamp() * 1_000_000),
            "max_attempts": part.tries,
            "max_duration": part.max_duration,
            "ttl": part.ttl,
            "machine": part.machine,
            "lane": int(part.is_async),
            "source": part.source,
            "actor": self.actor(part.source),
            "created_at": created,
            "queued_at": created,
            "updated_at": created,
            **given,
        }
        self.rows[Run].append(run)
        self.rows[RunTag] += [{"tag": tag, "run_id": run["id"]} for tag in tags]
        self.event(run, EventKind.TRIGGERED, created, actor=run["actor"])
        return run

    def actor(self, source: str) -> str:
        if source == "api":
            return "key:shop-backend"
        return f"user:{self.rng.choice(('ada', 'grace', 'linus'))}" if source == "dashboard" else ""

    def event(self, run: Facts, kind: EventKind, at: datetime, **facts: Any) -> None:
        row = {"run_id": run["id"], "kind": kind, "status": run["status"], "at": at, **facts}
        self.rows[Event].append(row)

    def start(self, run: Facts, at: datetime) -> None:
        """A body is entered: of the next attempt, or of the one that waited."""
        run["session"] = self.world.session_at(at)
        if run["status"] != RunStatus.WAITING:
            run["attempt_number"] = run.get("attempt_number", 0) + 1
            run["attempt_began"] = at
        run["status"], run["segment_began"] = RunStatus.EXECUTING, at
        run.setdefault("started_at", at)
        run.setdefault("executed_at", at)
        run.setdefault("version", self.world.version_at(at))
        run["expires_at"] = None
        self._by_worker(run, EventKind.STARTED, at)

    def wait(self, run: Facts, at: datetime, reason: str) -> None:
        """The run leaves its worker."""
        self._use(run, at)
        run["status"], run["waited_attempt"] = RunStatus.WAITING, run["attempt_number"]
        self._by_worker(run, EventKind.WAITING, at, reason=reason)

    def resume(self, run: Facts, at: datetime) -> None:
        """It is back, a moment after what it waited for."""
        attempt = run["attempt_number"]
        queued = {"actor": "system", "attempt": attempt, "status": RunStatus.QUEUED}
        self.event(run, EventKind.RESUMED, at, **queued)
        self.start(run, at + seconds(0.01))

    def retry(self, run: Facts, at: datetime, error: str, delay: float) -> datetime:
        """The attempt failed and another follows; when."""
        due = at + seconds(delay)
        self._use(run, at)
        self._attempt(run, at, AttemptStatus.FAILED, error, due)
        run["status"], run["error"] = RunStatus.QUEUED, error
        self._by_worker(run, EventKind.RETRIED, at, data=json.dumps({"delay": round(delay, 3)}))
        return due

    def end(self, run: Facts, at: datetime, status: RunStatus, **facts: Any) -> None:
        """The run ended, in an attempt or without one."""
        was_executing = run["status"] == RunStatus.EXECUTING
        run |= {"status": status, "finished_at": at, "updated_at": at, **facts}
        kind = EventKind(ENDS.get(status, status.lower()))
        if was_executing:
            self._use(run, at)
            self._attempt(run, at, OUTCOMES[status], facts.get("error"), None)
            self._by_worker(run, kind, at, reason=run.get("reason", ""))
        else:
            self.event(run, kind, at, actor="system", reason=run.get("reason", ""))
            if status == RunStatus.EXPIRED:
                self._fail(run, at, fingerprints.EXPIRED, 0, ended=True)

    def note(self, run: Facts, kind: str, name: str, at: datetime, **facts: Any) -> None:
        """An entry of the run's journal."""
        before = run.setdefault("entries", 0)
        run["entries"] = before + 1
        row = {"run_id": run["id"], "kind": kind, "name": name, "ordinal": 1, "position": before}
        row |= {"attempt": run["attempt_number"], "status": EntryStatus.PENDING, "started_at": at}
        self.rows[Journal].append({**row, **facts})

    def log(self, run: Facts, at: datetime, message: str, level: int = 20, span: str = "") -> None:
        if self.detailed:
            logger = "stdout" if level == 20 and self.rng.random() < 0.1 else "shop"
            row = {"run_id": run["id"], "attempt": run["attempt_number"], "level": level, "at": at}
            self.rows[LogLine].append(
                {**row, "logger": logger, "message": message, "span_id": span}
            )

    def span(self, run: Facts, name: str, begun: datetime, ended: datetime, **facts: Any) -> str:
        """A span that ended; its id."""
        made = tracing.span_id(run["id"], run["attempt_number"], name, begun)
        if self.detailed:
            above = tracing.attempt_span_id(run["id"], run["attempt_number"])
            row = {"run_id": run["id"], "attempt": run["attempt_number"], "span_id": made}
            row |= {"parent_id": above, "kind": "user", "name": name, "status": "ok", "at": ended}
            self.rows[Span].append({**row, "started_at": begun, "ended_at": ended, **facts})
        return made

    def _by_worker(self, run: Facts, kind: EventKind, at: datetime, **facts: Any) -> None:
        actor = f"session:{run['session']}"
        self.event(run, kind, at, actor=actor, attempt=run["attempt_number"], **facts)
        run["updated_at"] = at

    def _use(self, run: Facts, at: datetime) -> None:
        used = (at - run["segment_began"]) // timedelta(milliseconds=1)
        run["usage_ms"] = run.get("usage_ms", 0) + used

    def _attempt(
        self, run: Facts, at: datetime, status: AttemptStatus, error: str | None, due: Any
    ) -> None:
        row = {"run_id": run["id"], "number": run["attempt_number"], "status": status}
        row |= {"session_id": run["session"], "pid": self.rng.randrange(*PROCESS), "error": error}
        row |= {"started_at": run["attempt_began"], "finished_at": at, "retry_at": due}
        self.rows[Attempt].append(row)
        if error and status != AttemptStatus.CANCELED:
            mark = fingerprints.mark(error)
            self._fail(run, at, mark, run["attempt_number"], ended=due is None)

    def _fail(self, run: Facts, at: datetime, mark: str, attempt: int, *, ended: bool) -> None:
        """For the group of its error."""
        row = {"run_id": run["id"], "attempt": attempt, "ended": ended, "at": at}
        row |= {"fingerprint": fingerprints.of(mark, run["task_id"])}
        self.rows[Failure].append({**row, "version": run.get("version", "")})


ENDS = {RunStatus.SYSTEM_FAILURE: EventKind.SYSTEM_FAILED}
OUTCOMES = {
    RunStatus.COMPLETED: AttemptStatus.COMPLETED,
    RunStatus.CANCELED: AttemptStatus.CANCELED,
    RunStatus.CRASHED: AttemptStatus.CRASHED,
    RunStatus.TIMED_OUT: AttemptStatus.TIMED_OUT,
    RunStatus.FAILED: AttemptStatus.FAILED,
    RunStatus.SYSTEM_FAILURE: AttemptStatus.FAILED,
}
