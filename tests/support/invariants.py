"""What must hold after any fault: nothing lost, decided once, within limits, nothing left behind."""

from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import Any

from runs.models import Attempt, Event, EventKind, Lease, Ready, Run
from runs.states import FINAL, RunStatus
from tests.support.site import Site
from tests.support.waiting import eventually

ENDS = {
    EventKind.COMPLETED,
    EventKind.FAILED,
    EventKind.CRASHED,
    EventKind.TIMED_OUT,
    EventKind.EXPIRED,
    EventKind.CANCELED,
    EventKind.SYSTEM_FAILED,
}


def check(site: Site, limits: dict[str, int] | None = None, within: float = 30) -> None:
    """Wait until all accepted runs are final, then check everything but the processes."""
    quiesced(site, within)
    one_end_each(site)
    attempts_are_whole(site)
    nothing_entered_after_success(site)
    nothing_is_held(site)
    nothing_was_repaired(site)
    for queue, limit in (limits or {}).items():
        never_above(site, queue, limit)


def nothing_left_running(site: Site) -> None:
    """After the clusters stopped: no process of theirs or of a body, whoever adopted it."""
    eventually(lambda: not site.marked(), within=10)


def quiesced(site: Site, within: float) -> None:
    assert Run.objects.filter(pk__in=site.accepted).count() == len(set(site.accepted)), "runs lost"
    unfinished = Run.objects.filter(pk__in=site.accepted).exclude(status__in=FINAL)
    eventually(lambda: not unfinished.values_list("pk", "task_id", "status")[:5], within)


def one_end_each(site: Site) -> None:
    events = Event.objects.filter(run_id__in=site.accepted, kind__in=ENDS)
    statuses: dict[str, list[str]] = defaultdict(list)
    for run_id, status in events.values_list("run_id", "status"):
        statuses[run_id].append(status)
    wanted = {str(run.pk): [run.status] for run in Run.objects.filter(pk__in=site.accepted).light()}
    assert statuses == wanted, differing(statuses, wanted)


def attempts_are_whole(site: Site) -> None:
    numbers: dict[str, list[int]] = defaultdict(list)
    attempts = Attempt.objects.filter(run_id__in=site.accepted)
    for attempt in attempts.order_by("number"):
        numbers[attempt.run_id].append(attempt.number)
    wanted = {
        str(run.pk): list(range(1, run.attempt_number + 1))
        for run in Run.objects.filter(pk__in=site.accepted, attempt_number__gt=0).light()
    }
    assert numbers == wanted, differing(numbers, wanted)


def nothing_entered_after_success(site: Site) -> None:
    done = Event.objects.filter(run_id__in=site.accepted, kind=EventKind.COMPLETED)
    ended = {event.run_id: event.at for event in done}
    for note in site.notes():
        at = datetime.fromtimestamp(note["at"], UTC)
        assert note["what"] != "enter" or note["run"] not in ended or at <= ended[note["run"]], note
    for run_id, count in Counter(n["run"] for n in site.notes() if n["what"] == "enter").items():
        assert count <= Attempt.objects.filter(run_id=run_id).count(), f"{run_id} entered too often"


def nothing_is_held(site: Site) -> None:
    assert not Lease.objects.filter(run_id__in=site.accepted).exists()
    assert not Ready.objects.filter(run_id__in=site.accepted).exists()


def nothing_was_repaired(site: Site) -> None:
    """The net below the engine is not how it works."""
    found = Event.objects.filter(run_id__in=site.accepted, kind=EventKind.REPAIRED)
    assert not found.values_list("run_id", "reason")[:5]


def never_above(site: Site, queue: str, limit: int) -> None:
    """No moment at which more bodies of the queue (`name:key`, or `name` for all keys) were inside."""
    changes = []
    for start, end in intervals(site, queue):
        changes += [(start, 1), (end, -1)]
    inside = highest = 0
    for _, change in sorted(changes):
        inside += change
        highest = max(highest, inside)
    assert 0 < highest <= limit, f"{highest} at once in {queue}"


def intervals(site: Site, queue: str) -> list[tuple[float, float]]:
    """Body begins to body ends; a killed body ends when its death is recorded."""
    notes = [n for n in site.notes() if n["queue"] == queue or n["queue"].split(":")[0] == queue]
    left = {key(n): n["at"] for n in notes if n["what"] == "exit"}
    recorded = {
        (str(attempt.run_id), attempt.number): attempt.finished_at.timestamp()
        for attempt in Attempt.objects.filter(run_id__in={n["run"] for n in notes})
        if attempt.finished_at is not None
    }
    return [(n["at"], left.get(key(n), recorded[key(n)])) for n in notes if n["what"] == "enter"]


def key(note: dict[str, Any]) -> tuple[str, int]:
    return note["run"], note["attempt"]


def differing(found: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    keys = found.keys() | wanted.keys()
    return {k: (found.get(k), wanted.get(k)) for k in keys if found.get(k) != wanted.get(k)}


def statuses(site: Site) -> Counter[str]:
    """How many accepted runs have which status, for messages and for the chaos test."""
    return Counter(
        RunStatus(status)
        for status in Run.objects.filter(pk__in=site.accepted).values_list("status", flat=True)
    )
