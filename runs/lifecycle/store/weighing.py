"""SQLite: what the machines of runs weigh, and what a cluster has: `runs/sql/postgresql/capacity.sql`."""

import json
from datetime import UTC, timedelta
from typing import NamedTuple

from django.utils import timezone

from runs.lifecycle.store import statements as sql
from runs.lifecycle.store.base import Pressure, SessionLost, Waits
from runs.lifecycle.store.sqlite_tables import SqliteTables
from runs.machines import HEAVY, Weight, fits, used

#: A cluster that passed over a heavy run for so long takes nothing else until that fits.
HOLD_BACK = timedelta(seconds=5)

WEIGHS = """
SELECT EXISTS (SELECT 1 FROM runs_ready WHERE lane >= 2 AND not_before IS NULL)
    OR EXISTS (SELECT 1 FROM runs_workersession WHERE id = %s AND weighing)
"""
CLAIMING = """
SELECT version, lacking,
       weighing OR EXISTS (SELECT 1 FROM runs_ready WHERE lane >= 2 AND not_before IS NULL)
  FROM runs_workersession WHERE id = %s AND state = 'ALIVE'
"""
CAPACITY = """
SELECT capacity_cpu, capacity_memory, weights, held_since FROM runs_workersession WHERE id = %s
"""
HELD = """
SELECT l.pid, l.run_id, r.lane FROM runs_lease l JOIN runs_run r ON r.id = l.run_id WHERE l.session_id = %s
"""
WANTED = """
SELECT r.lane, r.sort_key, r.run_id
  FROM (SELECT * FROM runs_ready WHERE lane = %s AND lane >= 2 AND not_before IS NULL AND pin IN ('', %s)
         ORDER BY sort_key, run_id LIMIT 100) r
  JOIN runs_run run ON run.id = r.run_id
  JOIN runs_bucket b ON b.id = r.bucket_id JOIN runs_queue q ON q.id = b.queue_id
 WHERE NOT b."full" AND NOT q."full" AND NOT q.paused
   AND (run.version = '' OR run.version = %s OR %s = '')
   AND instr(%s, char(10) || run.task_id || char(10)) = 0
   AND NOT EXISTS (SELECT 1 FROM runs_ready o
                    WHERE o.bucket_id = r.bucket_id AND o.lane IN (0, 1) AND o.pin IN ('', %s)
                      AND o.not_before IS NULL AND o.sort_key < r.sort_key)
   AND (coalesce(q.override_limit, q.concurrency_limit) IS NULL
        OR (SELECT count(*) FROM runs_lease l WHERE l.bucket_id = b.id)
           < coalesce(q.override_limit, q.concurrency_limit))
   AND (coalesce(q.override_total, q.total_limit) IS NULL
        OR (SELECT count(*) FROM runs_lease l WHERE l.queue_id = q.id)
           < coalesce(q.override_total, q.total_limit))
 ORDER BY r.sort_key, r.run_id LIMIT 1
"""
HOLD = "UPDATE runs_workersession SET held_since = %s WHERE id = %s"
WEIGHED = """
UPDATE runs_workersession
   SET weighing = 1, held_since = CASE WHEN r.lane = %s THEN NULL ELSE held_since END
  FROM runs_run r WHERE r.id = %s AND r.lane >= 2 AND runs_workersession.id = %s
"""
UNWEIGH = """
UPDATE runs_workersession SET weighing = 0
 WHERE id = %s AND weighing AND NOT tight
   AND NOT EXISTS (SELECT 1 FROM runs_lease l JOIN runs_run r ON r.id = l.run_id
                    WHERE l.session_id = runs_workersession.id AND r.lane >= 2)
"""


class Code(NamedTuple):
    """What is to execute what is taken: see `trackside_code`."""

    version: str
    lacking: str
    lanes: tuple[int, ...]


class Fitting(NamedTuple):
    """See `trackside_fitting`."""

    lanes: tuple[int, ...]
    wanted: int | None
    holds: bool


class Scale:
    """What a session has, what its processes use of it, and what a run of each lane counts for."""

    def __init__(self, store: SqliteTables, session_id: str) -> None:
        cpu, memory, weights, self.held_since = store.rows(CAPACITY, (session_id,))[0]
        self.capacity = cpu, memory
        found: dict[str, Weight] = json.loads(weights)
        self.weights = {int(lane): weight for lane, weight in found.items()}
        self.leases = store.rows(HELD, (session_id,))

    @property
    def room(self) -> tuple[float | None, float | None]:
        uses = used(self.leases, self.weights)
        cpu, memory = (
            None if has is None else has - use for has, use in zip(self.capacity, uses, strict=True)
        )
        return cpu, memory

    def lanes_within(self, room: tuple[float | None, float | None]) -> list[int]:
        return sorted(lane for lane, weight in self.weights.items() if fits(weight, room))

    @property
    def is_held(self) -> bool:
        """Whether a heavy run was passed over for long."""
        since = self.held_since
        if since is None:
            return False
        return bool(since.replace(tzinfo=since.tzinfo or UTC) < timezone.now() - HOLD_BACK)


class Weighing(SqliteTables):
    """Writers are serial here, so what is weighed stays so until it is claimed."""

    def claiming(self, session_id: str) -> tuple[Code, bool]:
        """What a living session claims for, and whether that is weighed: one look. Raises SessionLost."""
        found = self.rows(CLAIMING, (session_id,))
        if not found:
            raise SessionLost(session_id)
        version, lacking, weighs = found[0]
        return Code(version, lacking, self.lanes), bool(weighs)

    def weighs(self, session_id: str) -> bool:
        """See `trackside_weighs`."""
        return bool(self.rows(WEIGHS, (session_id,))[0][0])

    def wanted(self, scale: Scale, code: Code) -> int | None:
        """See `trackside_wanted`."""
        heads = []
        for lane in scale.lanes_within(scale.capacity):
            if lane >= HEAVY:
                ours = (code.version,) * 3 + (code.lacking, code.version)
                heads += self.rows(WANTED, (lane, *ours))
        return int(min(heads, key=lambda one: one[1:])[0]) if heads else None

    def fitting(self, session_id: str, code: Code) -> Fitting:
        """See `trackside_fitting`."""
        scale = Scale(self, session_id)
        ours = {int(lane) for lane in code.lanes}
        fit = scale.lanes_within(scale.room)
        lanes = tuple(lane for lane in fit if lane >= HEAVY or lane in ours)
        wanted = self.wanted(scale, code)
        if wanted is None:
            if scale.held_since is not None:
                self.rows(HOLD, (None, session_id))
        elif scale.is_held:
            return Fitting((wanted,) if wanted in lanes else (), wanted, holds=True)
        elif scale.held_since is None and wanted not in lanes:
            self.rows(HOLD, (sql.now(), session_id))
        return Fitting(lanes, wanted, holds=False)

    def has_room(self, session_id: str, code: Code, pid: int) -> bool:
        """See `trackside_has_room`; true where nothing has to be weighed."""
        if not self.weighs(session_id):
            return True
        fitting = self.fitting(session_id, code)
        has_some = any(holder == pid for holder, _, _ in self.rows(HELD, (session_id,)))
        return not fitting.holds and (has_some or bool(set(fitting.lanes) & set(code.lanes)))

    def pressure(self, session_id: str) -> Pressure:
        found = self.rows(sql.MAY_TAKE, (session_id, ""))
        if not found or not self.weighs(session_id):
            return Pressure(False, Waits.NOTHING)
        scale = Scale(self, session_id)
        if self.wanted(scale, Code(found[0][0], found[0][1], self.lanes)) is None:
            return Pressure(True, Waits.NOTHING)
        return Pressure(True, Waits.ROOM if scale.is_held else Waits.WORKER)
