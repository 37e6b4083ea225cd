"""The two sides of a comparison, and their facts side by side."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.http import Http404
from django.urls import reverse
from django.utils.safestring import SafeString

from dashboard import presenters, sight
from dashboard.pages import tracebacks
from dashboard.pages.tracebacks import Failure
from dashboard.presenters import Look
from dashboard.templatetags.trackside import exact, who
from runs.models import Attempt, Run, WorkerSession
from runs.reads import attempts
from runs.reads.comparisons import Place


@dataclass(frozen=True, slots=True)
class Side:
    """A run, or one attempt of it, with what happened to it."""

    place: Place
    run: Run
    #: All attempts of the run, and the one that is compared.
    attempts: list[Attempt]
    attempt: Attempt | None
    look: Look
    failure: Failure | None
    host: str
    now: datetime

    @property
    def address(self) -> str:
        anchor = f"#attempt-{self.place.attempt}" if self.place.attempt else ""
        return reverse("dashboard:run", args=[self.run.pk]) + anchor

    @property
    def started(self) -> datetime | None:
        return (
            self.attempt.started_at if self.place.attempt and self.attempt else self.run.started_at
        )

    @property
    def ended(self) -> datetime | None:
        if self.place.attempt and self.attempt:
            return self.attempt.finished_at
        return self.run.finished_at

    @property
    def took(self) -> timedelta | None:
        started = self.started
        return None if started is None else max(timedelta(), (self.ended or self.now) - started)


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing on both sides; `delta` says how far apart they are, where that is a number."""

    name: str
    a: str | SafeString
    b: str | SafeString
    differs: bool
    delta: str = ""


def side(place: Place, now: datetime) -> Side:
    """Raises Http404 for a run or an attempt that is not there."""
    run = Run.objects.filter(pk=place.run_id).first() if "\x00" not in place.run_id else None
    if run is None:
        raise Http404(f"There is no run {place.run_id}.")
    found = attempts.of(run)
    chosen = next((one for one in found if one.number == place.attempt), None)
    if place.attempt and chosen is None:
        raise Http404(f"{place.run_id} has no attempt {place.attempt}.")
    last = chosen or (found[-1] if found else None)
    error = last.error if place.attempt and last else run.error
    hosts = WorkerSession.objects.filter(pk=last.session_id if last else "")
    return Side(
        place=place,
        run=run,
        attempts=found,
        attempt=last,
        look=presenters.attempt_look(chosen) if chosen else presenters.look(run),
        failure=tracebacks.read(error),
        host=hosts.values_list("host", flat=True).first() or "",
        now=now,
    )


def facts(a: Side, b: Side) -> list[Fact]:
    """Everything that can be said of both, in the order people ask."""
    named = _of_attempt if a.place.attempt and b.place.attempt else {}
    found = [_fact(name, read(a), read(b)) for name, read in (_READ | named).items()]
    return [*found[:2], *_spans(a, b), *found[2:]]


def _fact(name: str, a: str, b: str) -> Fact:
    return Fact(name, a or "–", b or "–", a != b)


def _spans(a: Side, b: Side) -> list[Fact]:
    """Lengths differ always, and it counts only when it is a lot."""
    return [
        _span("Duration", a.took, b.took),
        _span(
            "Waited in its queue",
            presenters.queue_time(a.run, a.now),
            presenters.queue_time(b.run, b.now),
        ),
        _span("Executing time", _executed(a), _executed(b)),
    ]


#: Lengths count as different from this ratio and this difference on.
RATIO, LEAST = 1.5, timedelta(milliseconds=100)


def _span(name: str, a: timedelta | None, b: timedelta | None) -> Fact:
    texts = presenters.duration_text(a), presenters.duration_text(b)
    if a is None or b is None:
        return Fact(name, *texts, a != b)
    longer, shorter = max(a, b), min(a, b)
    differs = longer - shorter >= LEAST and longer >= shorter * RATIO
    sign = "+" if b >= a else "−"
    delta = f"{sign}{presenters.duration_text(longer - shorter)}" if longer != shorter else ""
    if differs and shorter:
        delta += f", {b / a:.1f} ×" if b > a else f", {b / a:.2f} ×"
    return Fact(name, *texts, differs, delta)


def _executed(one: Side) -> timedelta | None:
    return timedelta(milliseconds=one.run.usage_ms) if one.run.usage_ms else None


def _error(one: Side) -> str:
    return one.failure.headline if one.failure else ""


def _limit(seconds: float | None, none: str) -> str:
    return none if seconds is None else presenters.duration_text(seconds)


_READ: dict[str, Callable[[Side], str]] = {
    "Status": lambda one: one.look.word,
    "Error": _error,
    "Task": lambda one: one.run.task_id,
    "Version": lambda one: one.run.version,
    "Worker": lambda one: one.host,
    "Queue": lambda one: one.run.queue,
    "Concurrency key": lambda one: one.run.concurrency_key or "",
    "Machine": lambda one: one.run.machine,
    "Tags": lambda one: ", ".join(one.run.tag_list),
    "Attempts": lambda one: f"{presenters.tries(one.run)} of {one.run.max_attempts}",
    "Priority": lambda one: f"{one.run.priority:g}",
    "Maximum duration": lambda one: _limit(one.run.max_duration, "no limit"),
    "Time to live": lambda one: _limit(one.run.ttl, "for ever"),
    "Triggered from": lambda one: one.run.get_source_display(),
    "By": lambda one: who(one.run.actor) if one.run.actor else "",
    "Schedule": lambda one: one.run.schedule_id or "",
    "Test run": lambda one: "yes" if one.run.is_test else "no",
    "Reason": lambda one: sight.name(one.run.reason),
}
_of_attempt: dict[str, Callable[[Side], str]] = {
    "Process": lambda one: str(one.attempt.pid) if one.attempt and one.attempt.pid else "",
    "Session": lambda one: one.attempt.session_id if one.attempt else "",
}


def moments(a: Side, b: Side) -> list[Fact]:
    """When; always different, so never marked."""
    pairs = [
        ("Created", a.run.created_at, b.run.created_at),
        ("Started", a.started, b.started),
        ("Ended", a.ended, b.ended),
    ]
    return [Fact(name, exact(one), exact(other), False) for name, one, other in pairs]


def swapped(a: Place, b: Place) -> str:
    return urlencode({"a": str(b), "b": str(a)})
