"""Each run by itself: accepted is durable, one end, attempts that add up, the right output."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from runs.models import EventKind
from runs.states import FINAL, TRANSITIONS, RunStatus
from tests.chaos.evidence import Evidence, Row
from tests.chaos.ledger import Note
from tests.chaos.work import plain_output

ENDS = {
    EventKind.COMPLETED, EventKind.FAILED, EventKind.CRASHED, EventKind.TIMED_OUT, EventKind.EXPIRED,
    EventKind.CANCELED, EventKind.SYSTEM_FAILED,
}  # fmt: skip
#: Tasks whose bodies wait, once.
WAITING = ("nest", "batch", "join", "ask", "sleep")
#: Kinds whose output is computed from the payload alone.
PLAIN = (
    "plain", "plain-async", "in-one", "in-three", "in-five", "in-keyed", "in-fair", "delayed", "fail",
    "canceled", "ttl", "storm", "killer",
)  # fmt: skip
#: How runs may end, beside COMPLETED.
OTHERS = {"canceled": {"CANCELED"}, "ttl": {"EXPIRED"}, "killer": {"EXPIRED"}}
#: A note and a row of one moment may be so many seconds apart.
CLOSE = 0.005
#: The code of attempts whose cluster was given up.
STALLED = "TASK_RUN_STALLED_EXECUTING"
#: After a kill everything that was entered so long before may be without an attempt.
UNRECORDED = 10.0


def lost(e: Evidence) -> Iterator[str]:
    """Every id that a successful trigger returned exists and has ended."""
    for run_id, line in e.accepted.items():
        if run_id not in e.runs:
            yield f"{run_id} ({line['kind']}) was accepted and is not in the database."
        elif e.runs[run_id]["status"] not in FINAL:
            yield f"{run_id} ({line['kind']}) was accepted and is still {e.runs[run_id]['status']}."


def terminal_once(e: Evidence) -> Iterator[str]:
    """One terminal event, and it says what the run says."""
    for run_id, run in e.runs.items():
        ends = [event["status"] for event in e.events_of[run_id] if event["kind"] in ENDS]
        wanted = [run["status"]] if run["status"] in FINAL else []
        if ends != wanted:
            yield f"{run_id} is {run['status']} and its history ends with {ends}."
    for line in e.mistakes:
        if "cannot become" in line:
            yield f"Somebody tried to change an end: {line}"


def entered_after_success(e: Evidence) -> Iterator[str]:
    """No body begins once success is on record; a node that was away may be late."""
    done = {v["run_id"]: v["at"] for v in e.events if v["kind"] == EventKind.COMPLETED}
    for note in e.notes:
        if note["what"] != "begin" or note["run"] not in done:
            continue
        late = note["at"] - done[note["run"]]
        if late > CLOSE and not e.was_away(note["host"], note["at"]):
            yield f"{note['run']} was entered on {note['host']} {late:.3f} s after it had completed."


def attempts(e: Evidence) -> Iterator[str]:
    """Numbers without gaps, no more than allowed, each entered by the process that it names."""
    for run_id, run in e.runs.items():
        rows = e.attempts_of[run_id]
        numbers = [row["number"] for row in rows]
        if run["status"] in FINAL and numbers != list(range(1, run["attempt_number"] + 1)):
            yield f"{run_id} has attempts {numbers}, and says {run['attempt_number']}."
        if run["attempt_number"] - run["uncounted_attempts"] > run["max_attempts"]:
            yield f"{run_id} had {run['attempt_number']} attempts, {run['max_attempts']} allowed."
        if sum(row["status"] == "RELEASED" for row in rows) > run["uncounted_attempts"]:
            yield f"{run_id} was handed back, and that counted as a try."
        yield from entries(e, run, rows)
    for row in e.attempts:
        yield from unexplained(e, row)
    for session in e.sessions.values():
        yield from given_up(e, session)


def entries(e: Evidence, run: Row, rows: list[Row]) -> Iterator[str]:
    """A body is entered once in each attempt, and once more after each wait, also one that was over at once.

    What a node had entered and not recorded when all of it was lost goes without an attempt; then the
    start is recorded before the next entry. So that is once for each time it was taken anew.
    """
    run_id, least = run["id"], int(run["task_id"] in WAITING)
    begins: dict[int, list[Note]] = {}
    for note in e.notes_of[run_id]:
        if note["what"] == "begin":
            begins.setdefault(note["attempt"], []).append(note)
    waits = Counter(v["attempt"] for v in e.events_of[run_id] if v["kind"] == EventKind.WAITING)
    for number, found in begins.items():
        again = max(waits[number], least)
        unrecorded = sum(is_unrecorded(e, note) for note in found)
        if len(found) - 1 - again > min(unrecorded, 1 + again):
            places = [(note["host"], note["pid"]) for note in found]
            yield f"{run_id} was entered {len(found)} times in attempt {number}: {places}."
    for row in rows:
        if row["status"] == "COMPLETED" and row["pid"] not in pids(e, run_id, row["number"]):
            yield f"{run_id} completed attempt {row['number']} in {row['pid']}, which never entered it."


def pids(e: Evidence, run_id: str, number: int) -> set[int]:
    return {note["pid"] for note in e.notes_of[run_id] if note["attempt"] == number}


def is_unrecorded(e: Evidence, note: Note) -> bool:
    """Whether all of its node was lost soon after this entry."""
    return e.was_away(note["host"], note["at"], note["at"] + UNRECORDED)


def unexplained(e: Evidence, row: Row) -> Iterator[str]:
    """An attempt that was lost has something that it was lost to; silence is looked at by node."""
    if row["status"] != "CRASHED" or STALLED in (row["error"] or "") or row["pid"] in e.deaths:
        return
    host = e.host_of(row["session_id"])
    span = row["started_at"] - CLOSE, row["finished_at"] + CLOSE
    if not e.was_away(host, *span) and not e.had_strike(host, *span):
        yield (
            f"{row['run_id']} lost attempt {row['number']} in {row['pid']} on {host}, to which nothing"
            f" had happened: {(row['error'] or '')[:150]}"
        )


def given_up(e: Evidence, session: Row) -> Iterator[str]:
    """A node is given up when it has been killed, or has said nothing for a lease while it could; and for good."""
    host = e.host_of(session["id"])
    if session["state"] == "DEAD" and not e.was_killed(host):
        since = max(
            [session["heartbeat_at"], *(t for _, t in e.outages if t < session["stopped_at"])]
        )
        if session["stopped_at"] - since < e.lease - 0.2:
            silent = session["stopped_at"] - since
            yield f"{host} was given up after {silent:.2f} s of silence; {e.lease:.2f} s is its lease."
    lost = [
        row["run_id"]
        for row in e.attempts
        if row["session_id"] == session["id"] and STALLED in (row["error"] or "")
    ]
    if lost and session["state"] == "ALIVE":
        yield f"{host} lost {lost[0]} and others, and still counts as alive."


def data(e: Evidence) -> Iterator[str]:
    """Every run ended as its kind may, with what its payload computes to."""
    for run, line in e.of_kind(*PLAIN, "steps", "nest", "batch", "join", "ask", "sleep"):
        kind, status = line["kind"], run["status"]
        if status == RunStatus.COMPLETED:
            if kind in PLAIN and json.loads(run["output"]) != plain_output(
                json.loads(run["payload"])
            ):
                yield f"{run['id']} ({kind}) returned {run['output']} for {run['payload']}."
        elif status in FINAL and status not in allowed(line):
            yield f"{run['id']} ({kind}) ended as {status}: {(run['error'] or '')[:200]}"
    for run, line in e.of_kind("overtime"):
        if run["status"] in FINAL and run["status"] != RunStatus.TIMED_OUT:
            yield f"{run['id']} ({line['kind']}) ended as {run['status']}."


def allowed(line: Note) -> set[str]:
    """Ends of its kind other than success."""
    if line["kind"] == "killer" and line["item"]["payload"]["always"]:
        return {"CRASHED", "EXPIRED"}
    return OTHERS.get(line["kind"], set())


def history(e: Evidence) -> Iterator[str]:
    """Every step from event to event is a legal move, and time goes forward."""
    for run_id, events in e.events_of.items():
        status: Any = None
        for event in events:
            moves = TRANSITIONS[RunStatus(status)] if status else frozenset(RunStatus)
            if status and event["status"] != status and event["status"] not in reach(moves):
                yield f"{run_id} went from {status} to {event['status']} ({event['kind']})."
            status = event["status"]
        for before, after in pairwise(events):
            if after["at"] < before["at"] - 1.0:
                yield f"{run_id}: {after['kind']} is {before['at'] - after['at']:.2f} s before {before['kind']}."


def reach(moves: frozenset[RunStatus]) -> frozenset[RunStatus]:
    """A claim of several together is written with their starts, so DEQUEUED may not be seen."""
    if RunStatus.DEQUEUED in moves:
        return moves | TRANSITIONS[RunStatus.DEQUEUED]
    return moves
