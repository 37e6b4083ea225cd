"""Calls from outside: keys and ticks make one run, and there are answers."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.chaos.evidence import Evidence

#: Part of the calls that succeed outside of outages, and their tries at most.
SUCCESS, TRIES = 0.99, 4


def once(e: Evidence) -> Iterator[str]:
    """All callers with one key got one run; every tick of a schedule made one."""
    answers: dict[str, set[str]] = defaultdict(set)
    for line in e.log:
        if line["what"] == "storm" and line["run"]:
            answers[line["key"]].add(line["run"])
    for key, found in answers.items():
        if len(found) > 1:
            yield f"Callers with the key {key!r} got {len(found)} runs: {sorted(found)}."
    keys = Counter(r["idempotency_key"] for r in e.runs.values() if r["idempotency_key"] in answers)
    for key, count in keys.items():
        if count > 1:
            yield f"{count} runs were made for the key {key!r}."
    yield from ticks(e)


def ticks(e: Evidence) -> Iterator[str]:
    made = Counter(tick["run_id"] for tick in e.ticks if tick["run_id"])
    for run_id, count in made.items():
        if count > 1 or run_id not in e.runs:
            yield f"{run_id} was made for {count} ticks, and is {(run_id in e.runs and 'there') or 'lost'}."
    for run_id, run in e.runs.items():
        if run["schedule_id"] and run_id not in made:
            yield f"{run_id} of schedule {run['schedule_id']} is of no tick."
    seen = Counter((tick["schedule_id"], round(tick["at"], 3)) for tick in e.ticks)
    due = [line for line in e.log if line["what"] == "due"]
    for line in due:
        count = seen[(line["schedule"], round(line["when"], 3))]
        if count != 1:
            yield f"Schedule {line['schedule']} was due at {line['when']:.3f} and fired {count} times."


def available(e: Evidence) -> Iterator[str]:
    """Calls that had no outage in them get an answer after three tries again at most."""
    calls = [c for c in e.log if c["what"] == "call" and not e.was_out(c["began"], c["at"])]
    failed = [c for c in calls if not c["ok"] or c["tries"] > TRIES]
    if calls and len(failed) > (1 - SUCCESS) * len(calls) + 1:
        why = Counter(error for c in failed for error in c["errors"]).most_common(2)
        yield f"{len(failed)} of {len(calls)} calls had no answer in time: {why}"
    for line in e.log:
        if line["what"] == "refused" and line["status"] == 500:
            yield f"A call was answered with 500: {line['text']}"
        elif line["what"] == "refused" and line["status"] not in (429, 503):
            yield f"A call was refused with {line['status']}: {line['text']}"
