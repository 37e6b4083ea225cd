"""Several runs in one transaction on SQLite: the steps of `runs/sql/postgresql/turn.sql`.

Writers are serial here, so what was read in a transaction stays so until its end: what PostgreSQL
does in one statement under locks are a few here, each for all runs.
"""

import json
import time
import uuid
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from django.utils import timezone

from runs.lifecycle.store import statements as sql
from runs.lifecycle.store import turning
from runs.lifecycle.store.base import Assignment, Done, Next, Rows, Turn
from runs.lifecycle.store.sqlite import SqliteStore
from runs.lifecycle.store.weighing import Code
from runs.states import RunStatus

MILLISECOND = 1_000_000


#: Bucket and queue.
Place = tuple[int, int]


class Ends(NamedTuple):
    """How many ends were recorded, and of whom: the slots they gave back."""

    number: int
    places: list[Place]
    session_id: str


class Picked(NamedTuple):
    """Runs that were taken out of their queue, and where each stood."""

    places: dict[str, Place]
    #: Those of them that nobody took since they left for a wait.
    untaken: set[str]


class TurningSqliteStore(SqliteStore):
    """The verbs for several runs."""

    def turn(self, done: Sequence[Done], take: Next, most: int, pid: int) -> Turn:
        """See `trackside_turn`."""
        take = Next.SAME if take == Next.HEIR else take
        with self.transaction():
            ends = self.end_all(done, pid)
            lost = self.lost(done) if ends.number < len(done) else []
            if not ends.number:
                held = self.rows(sql.INHERITED, (done[-1].run_id, pid)) if take else []
                return Turn([self.assignment(row[0]) for row in held], lost)
            return Turn(self.next_all(ends, take, most, pid), lost)

    def turn_over(self, done: Sequence[Done], session_id: str, most: int, pid: int) -> Turn:
        """See `trackside_turn_over`."""
        with self.transaction():
            ends = self.end_all(done, pid)
            lost = self.lost(done) if ends.number < len(done) else []
            self.release_all(ends.places)
            code = self.taking(session_id) if most else None
            if code is None:
                return Turn([], lost)
            works = (
                self.claim_rest(ends.places[0], session_id, code, most, pid) if ends.number else []
            )
            if len(works) < most and self.has_room(session_id, code, pid):
                works += self.claim_many(session_id, code, most - len(works), pid)
            return Turn(works, lost)

    def claim_started(self, session_id: str, slots: int, pid: int) -> list[Assignment]:
        """See `trackside_claim_started`."""
        self.code(session_id)
        with self.transaction():
            self.code(session_id)
            code = self.taking(session_id)
            if code is None or not self.has_room(session_id, code, pid):
                return []
            return self.claim_many(session_id, code, slots, pid)

    def held_by(self, session_id: str, pid: int) -> list[Assignment]:
        return [self.assignment(row[0]) for row in self.rows(sql.HELD_BY, (session_id, pid))]

    # -- ends -------------------------------------------------------------------------------------

    def end_all(self, done: Sequence[Done], pid: int) -> Ends:
        """COMPLETED, or CANCELED if that was asked for; what has no lease any more is left out."""
        found = {row[:2]: row[2:] for row in self.rows(turning.LEASES, (ids(done),))}
        ended = [(one, *found[one[:2]]) for one in done if one[:2] in found]
        if not ended:
            return Ends(0, [], "")
        self.rows(turning.GIVE_UP, (ids(one for one, *_ in ended),))
        at, runs, attempts, events = Clock(), [], [], []
        for one, _, _, session_id, attempt, begun, canceled in ended:
            status = RunStatus.CANCELED.value if canceled else RunStatus.COMPLETED.value
            began, left, actor = at.of(one.began), at.of(one.ended), f"session:{session_id}"
            finished = at.now if canceled else left  # no end before its cause
            used = round((one.ended - one.began) / MILLISECOND)
            runs.append((
                *(status, None if canceled else one.output, attempt, began, finished, at.now),
                *(one.token, self.version, used, one.run_id),
            ))  # fmt: skip
            attempts.append((one.run_id, attempt, status, session_id, pid, began, left))
            if not begun:
                events.append((one.run_id, "started", "EXECUTING", attempt, actor, "", "", began))
            events.append((one.run_id, status.lower(), status, attempt, actor, "", "", finished))
        self.many(turning.END, runs)
        self.many(turning.ATTEMPT, attempts)
        self.many(sql.EVENT, events)
        places = dict.fromkeys((bucket, queue) for _, bucket, queue, *_ in ended)
        return Ends(len(ended), list(places), ended[0][3])

    def lost(self, done: Sequence[Done]) -> list[str]:
        """Those whose end does not count, not that of an earlier try of the same write either."""
        return [one.run_id for one in done if not self.rows(sql.HAS_WON, one[:2])]

    def release_all(self, places: Sequence[Place]) -> None:
        """See `trackside_release`."""
        if places:
            buckets, queues = map(json.dumps, zip(*places, strict=True))
            self.rows(turning.QUEUES_ROOM, (queues,))
            self.rows(turning.BUCKETS_ROOM, (buckets,))

    # -- takes ------------------------------------------------------------------------------------

    def next_all(self, ends: Ends, take: Next, most: int, pid: int) -> list[Assignment]:
        """What a worker goes on with: several that it is to start, or one that is started."""
        code = self.taking(ends.session_id) if take else None
        picked = self.pick_next(ends, code, take, most) if code and most > 1 else None
        works = self.take_all(picked, ends.session_id, code, pid) if code and picked else []
        if works:
            return works
        if code is None or ends.number > 1:  # one run takes the place of several, or none
            self.release_all(ends.places)
        if code is None:
            return []
        work = self.go_on(*ends.places[0], ends.session_id, code, take, pid)
        return [work] if work else []

    def pick_next(self, ends: Ends, code: Code, take: Next, most: int) -> Picked | None:
        """Of the same bucket where it has no limit, else one of each of several."""
        lane = self.only_lane(code)
        if lane is None:
            return None
        place, is_one = ends.places[0], len(ends.places) == 1
        if is_one and take == Next.SAME and self.rows(turning.COUNTS_NOTHING, place[1:]):
            picked = self.pick(place, lane, most)
            if picked is not None:
                return picked
        buckets = json.dumps([bucket for bucket, _ in ends.places])
        if is_one and not self.rows(turning.picking(lane).other, (buckets,)):
            return None
        self.release_all(ends.places)
        return self.pick_across(lane, most)

    def only_lane(self, code: Code) -> int | None:
        """The lane of everything this code may take; None where there are several, or versions."""
        is_one = len(code.lanes) == 1 or not self.has_shared()
        if not is_one or self.rows(turning.HAS_PINNED, (code.version,)):
            return None
        return int(code.lanes[0])

    def has_shared(self) -> bool:
        return bool(self.rows(turning.HAS_SHARED))

    def pick(self, place: Place, lane: int, most: int) -> Picked | None:
        """See `trackside_pick`."""
        found = self.rows(turning.picking(lane).pick, (place[0], most))
        return picked_from(found, dict.fromkeys((row[0] for row in found), place))

    def pick_across(self, lane: int, most: int) -> Picked | None:
        """See `trackside_pick_across`."""
        places, served, at = {}, [], sql.microseconds()
        for bucket, queue, limit, held, head in self.rows(turning.picking(lane).across, (most,)):
            has_room = limit is None or held < limit
            if has_room:
                places[head] = bucket, queue
            served.append((at, limit is not None and held + has_room >= limit, bucket))
        self.many(sql.SERVED, served)
        return picked_from(self.rows(turning.PICK_HEADS, (json.dumps(list(places)),)), places)

    def take_all(
        self, picked: Picked, session_id: str, code: Code, pid: int, *, start: bool = False
    ) -> list[Assignment]:
        """Lease what was picked; what is not to be had is refused."""
        at = sql.now()
        fits = json.dumps(list(picked.places)), code.version, code.version, code.lacking, at
        statement = turning.TAKE_STARTED if start else turning.TAKE_UNSTARTED
        taken = sorted(self.rows(statement, (at, at, at, code.version, *fits)))
        works = [taken_work(row, picked.untaken) for row in taken]
        started, actor = at if start else None, f"session:{session_id}"
        self.many(sql.LEASE, [
            (work.run_id, *picked.places[work.run_id], session_id, work.attempt, work.token, at, pid, started)
            for work in works
        ])  # fmt: skip
        if start:
            facts = [(work.run_id, "started", "EXECUTING", work.attempt) for work in works]
            self.many(sql.EVENT, [(*one, actor, "", "", at) for one in facts])
        if len(works) < len(picked.places):
            for run_id in picked.places.keys() - {work.run_id for work in works}:
                self.refuse(run_id, picked.places[run_id][0], pinned=False)
            self.release_all([*picked.places.values()])
        return works

    def claim_many(self, session_id: str, code: Code, slots: int, pid: int) -> list[Assignment]:
        """Up to so many runs, started: in turns, and what follows in a bucket without limits at once."""
        works: list[Assignment] = []
        while len(works) < slots and (
            claim := self.claim_one(session_id, code, start=True, pid=pid)
        ):
            works.append(self.assignment(claim.run_id))
            if len(works) == 1 < slots:
                place = self.rows(turning.PLACE, (claim.run_id,))[0]
                works += self.claim_rest(place, session_id, code, slots - 1, pid)
        return works

    def claim_rest(
        self, place: Place, session_id: str, code: Code, most: int, pid: int
    ) -> list[Assignment]:
        """See `trackside_claim_rest`."""
        lane = self.only_lane(code)
        if lane is None or not self.rows(turning.COUNTS_NOTHING, place[1:]):
            return []
        if self.rows(turning.picking(lane).any_other, place[:1]):
            return []
        picked = self.pick(place, lane, most)
        return self.take_all(picked, session_id, code, pid, start=True) if picked else []


class Clock:
    """One moment, and others by their distance from it."""

    def __init__(self) -> None:
        # in this order: a process that is held up in between dates ends late, never before their bodies
        self.tick, self.moment = time.monotonic_ns(), timezone.now()
        self.now = sql.stamp(self.moment)

    def of(self, tick: int) -> str:
        """A moment of CLOCK_MONOTONIC, in nanoseconds."""
        return sql.stamp(self.moment - timedelta(microseconds=(self.tick - tick) // 1000))


def ids(done: Iterable[Done]) -> str:
    return json.dumps([one.run_id for one in done])


def picked_from(rows: Rows, places: dict[str, Place]) -> Picked | None:
    return Picked(places, {run_id for run_id, untaken in rows if untaken}) if rows else None


def taken_work(row: Sequence[Any], untaken: Collection[str]) -> Assignment:
    """What was just taken, under a token of its own."""
    work = sql.assignment(tuple(row[1:]))
    retaken = work.retaken and work.run_id not in untaken
    return work._replace(token=str(uuid.uuid4()), retaken=retaken)
