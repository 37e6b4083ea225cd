"""Nothing early, and nothing later than promised."""

import json
from collections.abc import Iterator
from typing import NamedTuple

from runs.models import EventKind
from tests.chaos.evidence import Evidence, Row

#: Two clocks of one machine are read so many seconds apart.
CLOSE = 0.005
#: Beyond its formula a recovery may take so many seconds, times the processes that want each core.
SLACK = 2.0


def early(e: Evidence) -> Iterator[str]:
    """Delays, retries, waits, times to live, time-outs and ticks: never before their moment."""
    for run_id, run in e.runs.items():
        begins = [n["at"] for n in e.notes_of[run_id] if n["what"] == "begin"]
        if run["delay_until"] and begins and min(begins) < run["delay_until"] - CLOSE:
            yield f"{run_id} began {run['delay_until'] - min(begins):.3f} s before its delay was over."
        if run["status"] == "EXPIRED":
            yield from expiry(run, begins)
        yield from retries(e, run_id)
    for row in e.journal:
        back = [n["at"] for n in e.notes_of[row["run_id"]] if n["what"] == "enter"]
        if row["kind"] == "wait" and back and waited(e, row) and max(back) < row["due_at"] - CLOSE:
            yield f"{row['run_id']} came back {row['due_at'] - max(back):.3f} s early from its wait."
    for token in e.tokens.values():
        if token["status"] == "TIMED_OUT" and token["completed_at"] < token["timeout_at"] - CLOSE:
            yield f"Token {token['id']} timed out early."
    yield from endings(e)


def waited(e: Evidence, row: Row) -> bool:
    return e.runs[row["run_id"]]["status"] == "COMPLETED"


def expiry(run: Row, begins: list[float]) -> Iterator[str]:
    if begins:
        yield f"{run['id']} expired although it had been started."
    if run["expires_at"] and run["finished_at"] < run["expires_at"] - CLOSE:
        yield f"{run['id']} expired {run['expires_at'] - run['finished_at']:.3f} s early."


def retries(e: Evidence, run_id: str) -> Iterator[str]:
    for row in e.attempts_of[run_id]:
        after = [
            note["at"]
            for note in e.notes_of[run_id]
            if note["what"] == "begin" and note["attempt"] == row["number"] + 1
        ]
        if row["retry_at"] and after and min(after) < row["retry_at"] - CLOSE:
            yield f"{run_id} was tried again {row['retry_at'] - min(after):.3f} s early."


def endings(e: Evidence) -> Iterator[str]:
    for event in e.events:
        if event["kind"] == EventKind.TIMED_OUT:
            run = e.runs[event["run_id"]]
            last = e.attempts_of[run["id"]][-1]
            if last["finished_at"] - last["started_at"] < run["max_duration"] - CLOSE:
                yield f"{run['id']} timed out before its max_duration of {run['max_duration']} s."
    for tick in e.ticks:
        run = e.runs.get(tick["run_id"] or "")
        if run and run["created_at"] < tick["at"] - CLOSE:
            yield f"{run['id']} was made {tick['at'] - run['created_at']:.3f} s before its tick."


class Recovery(NamedTuple):
    """How long it took until something went on, and how long it may take."""

    fault: str
    seconds: float
    bound: float
    run_id: str = ""


def recovery(e: Evidence) -> Iterator[str]:
    """Every recovery within its bound."""
    for one in recoveries(e):
        if one.seconds > one.bound:
            yield (
                f"{one.run_id} took {one.seconds:.2f} s to recover from “{one.fault}”;"
                f" {one.bound:.2f} s is the bound."
            )


def recoveries(e: Evidence) -> Iterator[Recovery]:
    yield from after_deaths(e)
    yield from after_tokens(e)
    yield from after_cancels(e)
    yield from after_ticks(e)
    yield from after_outages(e)


def bound(e: Evidence, seconds: float, since: float, until: float) -> float:
    """A bound, and what an outage in between adds: nothing goes on without the database."""
    out = sum(min(t, until) - max(s, since) for s, t in e.outages if s < until and since < t)
    reaping = e.lease if out > 0 else 0.0  # a reaper waits for a lease of uninterrupted contact
    return seconds + out + reaping + SLACK * e.crowd + (5.0 if out > 0 else 0.0)


def after_deaths(e: Evidence) -> Iterator[Recovery]:
    """From the kill until the run was taken back: at once where a node lives, else by its silence."""
    for row in e.attempts:
        died = e.deaths.get(row["pid"])
        if row["status"] != "CRASHED" or died is None or not row["started_at"] <= died:
            continue
        host = e.host_of(row["session_id"])
        away = e.was_away(host, died, row["finished_at"])
        name, allowed = ("node dies", e.silence) if away else ("child dies", 3.0)
        took = row["finished_at"] - died
        until = row["finished_at"]
        for absence in e.absences.get(host, ()) if away else ():
            allowed += (
                max(min(absence.until, until) - absence.since, 0.0)
                if absence.kind != "killed"
                else 0.0
            )
        yield Recovery(name, took, bound(e, allowed, died, until), row["run_id"])


def after_tokens(e: Evidence) -> Iterator[Recovery]:
    """From the completion until the run is queued again."""
    for run, _ in e.of_kind("ask"):
        token = e.tokens[json.loads(run["payload"])["token"]]
        resumed = [v["at"] for v in e.events_of[run["id"]] if v["kind"] == EventKind.RESUMED]
        if token["completed_at"] and resumed and resumed[0] >= token["completed_at"]:
            took = resumed[0] - token["completed_at"]
            limit = bound(e, 5.0, token["completed_at"], resumed[0])
            yield Recovery("token completed", took, limit, run["id"])


def after_cancels(e: Evidence) -> Iterator[Recovery]:
    """From the answer until the end, whatever became of the worker."""
    for line in e.log:
        if line["what"] == "canceled" and line["run"] in e.runs and line["status"]:
            ended = e.runs[line["run"]]["finished_at"]
            if ended:
                took = max(ended - line["at"], 0.0)
                yield Recovery(
                    "canceled", took, bound(e, e.silence + 1.0, line["at"], ended), line["run"]
                )


def after_ticks(e: Evidence) -> Iterator[Recovery]:
    for tick in e.ticks:
        run = e.runs.get(tick["run_id"] or "")
        if run:
            took = run["created_at"] - tick["at"]
            yield Recovery(
                "tick due", took, bound(e, 10.0, tick["at"], run["created_at"]), run["id"]
            )


def after_outages(e: Evidence) -> Iterator[Recovery]:
    """From the server's return until anything is started."""
    starts = sorted(v["at"] for v in e.events if v["kind"] == EventKind.STARTED)
    for _, ended in e.outages:
        later = next((at for at in starts if at >= ended), None)
        if later is not None:
            yield Recovery("server away", later - ended, 15.0 + SLACK * e.crowd)
