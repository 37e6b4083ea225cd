"""What failures have in common that successes do not: counted on a sample of both."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Any

from django.db.models import Case, F, TextField, When
from django.db.models.functions import Length

from runs.models import Attempt, ErrorGroup, Failure, Run, RunTag, WorkerSession
from runs.reads import breaks

#: Runs of each kind that are looked at, the newest ones.
SAMPLE = 200
#: Characters of a payload that is read; depth, members and length of a value in it.
LARGEST, DEEPEST, MEMBERS, LONGEST = 20_000, 4, 60, 80
#: A value counts that this share of the failures has, and so much more of them than of the successes.
SHARE, MORE = 0.3, 0.25
#: And no less sure than this many standard deviations: among hundreds of values some differ by chance.
SURE = 3.0
#: Failures that have to be there.
LEAST = 3
SHOWN = 10
#: What is read of a run.
COLUMNS = ("version", "queue", "machine", "source", "is_test", "concurrency_key", "schedule_id")

#: A run's payload as its reader may see it; text of JSON or None.
Payload = Callable[[Run], str | None]
Facet = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Factor:
    """A value that failures have more often than successes."""

    #: "payload.country", "tag", "version", "worker", "queue", …
    name: str
    value: str
    failures: int
    successes: int
    of_failures: int
    of_successes: int

    @property
    def share(self) -> float:
        return self.failures / self.of_failures

    @property
    def z(self) -> float:
        """By how many standard deviations the two shares differ, if they were the same (pooled)."""
        a, b = self.of_failures, self.of_successes
        if not b:
            return 0.0
        pooled = (self.failures + self.successes) / (a + b)
        spread = pooled * (1 - pooled) * (1 / a + 1 / b)
        return (self.share - self.elsewhere) / sqrt(spread) if spread else 0.0

    @property
    def elsewhere(self) -> float:
        return self.successes / self.of_successes if self.of_successes else 0.0


@dataclass(frozen=True, slots=True)
class Factors:
    """The factors, the strongest first, and how many runs were looked at."""

    found: list[Factor]
    failures: int
    successes: int

    @property
    def is_enough(self) -> bool:
        return self.failures >= LEAST and self.successes > 0


def of(group: ErrorGroup, payload: Payload = lambda run: run.payload) -> Factors:
    """Of one error: its runs against successes of the same task."""
    bad_ids = _failing(group)
    good_ids = breaks.successes(Run.objects.filter(task_id=group.task_id), SAMPLE)
    facets = _facets(_read({*bad_ids, *good_ids}), payload)
    failing = [facets[run_id] for run_id in bad_ids if run_id in facets]
    others = [facets[run_id] for run_id in good_ids if run_id in facets]
    bad = Counter(facet for one in failing for facet in one)
    good = Counter(facet for one in others for facet in one)
    found = [
        Factor(*facet, count, good[facet], len(failing), len(others))
        for facet, count in bad.items()
        if count >= LEAST and count / len(failing) >= SHARE
    ]
    strong = [one for one in found if one.share - one.elsewhere >= MORE and one.z >= SURE]
    strong.sort(key=lambda one: (one.elsewhere - one.share, one.name, one.value))
    return Factors(strong[:SHOWN] if others else [], len(failing), len(others))


def _failing(group: ErrorGroup) -> list[str]:
    failures = Failure.objects.filter(fingerprint=group.pk).order_by("-run_id")
    return list(dict.fromkeys(failures.values_list("run_id", flat=True)[: SAMPLE * 2]))[:SAMPLE]


def _read(ids: Iterable[str]) -> list[Run]:
    """With payloads that are short enough to be looked into."""
    short = Case(
        When(_length__lte=LARGEST, then=F("payload")), default=None, output_field=TextField()
    )
    runs = Run.objects.filter(pk__in=list(ids)).only(*COLUMNS)
    found: Any = list(runs.annotate(_length=Length("payload")).annotate(short_payload=short))
    for run in found:
        run.payload = run.short_payload
    return list(found)


def _facets(runs: list[Run], payload: Payload) -> dict[str, set[Facet]]:
    """What may be shared, by run."""
    found = {run.pk: {*_facts(run), *_leaves(payload(run))} for run in runs}
    for run_id, tag in RunTag.objects.filter(run_id__in=list(found)).values_list("run_id", "tag"):
        found[run_id].add(("tag", tag))
    for run_id, host in _hosts(list(found)).items():
        if host:
            found[run_id].add(("worker", host))
    return found


def _hosts(ids: list[str]) -> dict[str, str]:
    """Where each run's last attempt was."""
    last = Attempt.objects.filter(run_id__in=ids).order_by("number")
    sessions = dict(last.values_list("run_id", "session_id"))
    found = WorkerSession.objects.filter(pk__in=set(sessions.values()))
    hosts = dict(found.values_list("pk", "host"))
    return {run_id: hosts.get(session, "") for run_id, session in sessions.items()}


def _facts(run: Run) -> Iterator[Facet]:
    yield from (
        ("version", run.version),
        ("queue", run.queue),
        ("machine", run.machine),
        ("source", run.get_source_display()),
        ("test run", "yes" if run.is_test else "no"),
    )
    for name, value in (("key", run.concurrency_key), ("schedule", run.schedule_id)):
        if value:
            yield name, value


def _leaves(text: str | None) -> Iterable[Facet]:
    """Places of a payload with their values, as they are written."""
    if not text:
        return []
    try:
        # numbers as they are written: a float would round them
        value = json.loads(text, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return []
    return [leaf for _, leaf in zip(range(MEMBERS), _walk(value, "payload"), strict=False)]


def _walk(value: Any, path: str, depth: int = 0) -> Iterator[Facet]:
    if isinstance(value, dict) and depth < DEEPEST:
        for name, member in value.items():
            yield from _walk(member, f"{path}.{name}", depth + 1)
    elif isinstance(value, list):
        yield f"{path}.length", str(len(value))
    elif not isinstance(value, dict) and len(said := _said(value)) <= LONGEST:
        yield path, said


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
