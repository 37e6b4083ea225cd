"""Several runs at a time: never more than the limit, and everybody's turn comes."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from tests.chaos.evidence import Evidence
from tests.chaos.ledger import Note

FAIR = "fair"


def exceeded(e: Evidence) -> Iterator[str]:
    """At no commit were more slots out than allowed, and at no moment were more bodies inside."""
    for run_id, what, held, allowed in e.breaches:
        yield f"With {run_id} {held} runs held a slot where {what} allows {allowed}."
    inside: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for queue, key, start, end in intervals(e):
        inside[queue, key].append((start, end))
        inside[queue, "*"].append((start, end))
    for (queue, key), found in inside.items():
        each, total = e.limits.get(queue, (None, None))
        allowed = total if key == "*" else each
        if allowed is not None and (highest := most(found)) > allowed:
            yield f"{highest} bodies of {queue}:{key} were inside at once; {allowed} are allowed."


def most(found: list[tuple[float, float]]) -> int:
    """The highest number of intervals that overlap; one that ends makes room for one that begins."""
    inside = highest = 0
    for _, change in sorted([(s, 1) for s, _ in found] + [(t, -1) for _, t in found]):
        inside += change
        highest = max(highest, inside)
    return highest


def intervals(e: Evidence) -> Iterator[tuple[str, str, float, float]]:
    """Queue, key, entry and exit of every stretch inside a body, in a queue that counts.

    A killed body ends with its process; one on a node that is away no longer counts: its slot may
    be given to others while it goes on (promise 4).
    """
    open_ones: dict[tuple[str, int, int], Note] = {}
    for note in e.notes:
        limit = e.limits.get(note.get("queue", ""), (None, None))
        if limit == (None, None) or note["what"] not in ("enter", "exit"):
            continue
        key = note["run"], note["attempt"], note["pid"]
        if note["what"] == "enter":
            open_ones[key] = note
        elif began := open_ones.pop(key, None):
            yield began["queue"], began["key"], began["at"], until(e, began, note["at"])
    for began in open_ones.values():
        yield began["queue"], began["key"], began["at"], until(e, began, float("inf"))


def until(e: Evidence, began: Note, end: float) -> float:
    """When a body no longer counts."""
    ends = [end, e.deaths.get(began["pid"], end)]
    ends += [
        max(absence.since, began["at"])
        for absence in e.absences.get(began["host"], ())
        if absence.since <= end and absence.until + 1.0 >= began["at"]
    ]
    rows = [row for row in e.attempts_of[began["run"]] if row["number"] == began["attempt"]]
    ends += [max(row["finished_at"], began["at"]) for row in rows]
    return min(ends)


def unfair(e: Evidence) -> Iterator[str]:
    """Between two turns of a key that has something to run there are no more than two for each other.

    A turn is what one process takes of a key in a row. Its runs may be entered together with
    those of fifteen others it took at the same time.
    """
    begins = [n for n in e.notes if n["what"] == "begin" and n["queue"] == FAIR]
    keys = {note["key"] for note in begins}
    turns: list[Note] = []
    last: dict[int, str] = {}
    for note in begins:
        if last.get(note["pid"]) != note["key"]:
            turns.append(note)
        last[note["pid"]] = note["key"]
    queued = waiting(e)
    for key in keys:
        places = [place for place, turn in enumerate(turns) if turn["key"] == key]
        for before, after in pairwise(places):
            since, till = turns[before]["at"], turns[after]["at"]
            stood = any(at <= since and start >= till for at, start in queued[key])
            if stood and after - before > 2 * len(keys) + len(last):
                yield f"Key {key!r} had its turn only after {after - before} turns of others."


def waiting(e: Evidence) -> dict[str, list[tuple[float, float]]]:
    """Of each key: when its runs were queued, and when they were entered first."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for run_id, run in e.runs.items():
        begins = [n["at"] for n in e.notes_of[run_id] if n["what"] == "begin"]
        if run["queue"] == FAIR and begins:
            found[run["concurrency_key"]].append((run["created_at"], min(begins)))
    return found
