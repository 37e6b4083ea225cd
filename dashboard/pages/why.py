"""Why a run stands where it stands: what it waits for, what it failed with, which limit it met."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dashboard import presenters
from dashboard.pages import hints, tracebacks
from dashboard.pages.tracebacks import Failure
from runs import conf
from runs.models import ErrorGroup, Run, Task
from runs.models import Failure as Case
from runs.reads import gates, usage, waits
from runs.reads.counts import Capped
from runs.reads.gates import Gate
from runs.reads.waits import Wait
from runs.states import UNSUCCESSFUL, RunStatus

#: What a rung of the ladder is about.
RUNGS = {
    "delay": "Delay",
    "retry": "Retry",
    "overlap": "Overlap",
    "version": "Version",
    "workers": "Workers",
    "machine": "Machine",
    "task": "Task",
    "queues": "All queues",
    "queue": "Queue",
    "limit": "Queue limit",
    "key": "Key limit",
    "total": "Total limit",
    "rate": "Rate limit",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What keeps an open run where it is; read at every look."""

    gates: list[Gate]
    ahead: Capped | None
    wait: Wait | None
    #: When the process of a run that was asked to stop is killed, and whether that is over.
    kill_at: datetime | None = None
    is_overdue: bool = False

    @property
    def shut(self) -> int:
        return sum(not gate.open for gate in self.gates)

    @property
    def ladder(self) -> list[tuple[str, Gate]]:
        """The shut ones first."""
        some = sorted(self.gates, key=lambda gate: gate.open)
        return [(RUNGS[gate.name], gate) for gate in some]


def standing(run: Run, now: datetime) -> Standing:
    """Nothing for a run that has ended."""
    if run.is_final:
        return Standing([], None, None)
    found, kill_at = gates.gates(run, now), _kill_at(run)
    ahead = gates.ahead(run) if found else None
    return Standing(found, ahead, waits.of(run), kill_at, bool(kill_at and kill_at <= now))


def _kill_at(run: Run) -> datetime | None:
    if not run.is_canceling or run.cancel_requested_at is None:
        return None
    return run.cancel_requested_at + timedelta(seconds=float(conf.get("CANCEL_GRACE_SECONDS")))


def context(run: Run, stands: Standing, now: datetime) -> dict[str, Any]:
    """What the card shows beside that: asked for only when it is drawn."""
    failure = _failure(run)
    return {
        "failure_of_run": failure,
        "failed_place": failure.own_place if failure else None,
        "hint": hints.hint(failure),
        "group": _group(run) if failure else None,
        "policy": _policy(run) if run.is_retrying else "",
        "met": _limit(run, now),
        "has_why": bool(
            stands.gates
            or stands.wait
            or run.is_canceling
            or getattr(run, "cancel_due", None)
            or run.reason
            or failure
            or _limit(run, now)
        ),
    }


def _failure(run: Run) -> Failure | None:
    """What ended it, or the attempt before the next one."""
    if run.status not in UNSUCCESSFUL and not run.is_retrying:
        return None
    return tracebacks.read(Run.objects.values_list("error", flat=True).get(pk=run.pk))


def _group(run: Run) -> ErrorGroup | None:
    """The group of its newest failure."""
    newest = Case.objects.filter(run_id=run.pk).order_by("-attempt").values("fingerprint")[:1]
    return ErrorGroup.objects.filter(fingerprint__in=newest).first()


def _limit(run: Run, now: datetime) -> str:
    """Which limit ended it."""
    if run.status == RunStatus.TIMED_OUT and run.max_duration is not None:
        executed = presenters.duration_text(usage.executed(run, now))
        most = presenters.duration_text(run.max_duration)
        return f"It executed for {executed}; its maximum duration is {most}, waits not counted."
    if run.status == RunStatus.EXPIRED and run.ttl is not None:
        stood = (run.finished_at or now) - (run.queued_at or run.created_at)
        shown = presenters.duration_text(max(stood, timedelta()))
        return f"It stood in its queue for {shown}; its time to live is {presenters.duration_text(run.ttl)}."
    return ""


def _policy(run: Run) -> str:
    """How its task spaces attempts."""
    text = Task.objects.filter(pk=run.task_id).values_list("config", flat=True).first()
    retry = json.loads(text or "{}").get("retry")
    if not isinstance(retry, dict):
        return ""
    least, most = retry.get("min_timeout"), retry.get("max_timeout")
    parts = [f"{run.max_attempts} attempts"]
    if least is not None and most is not None:
        span = f"{presenters.duration_text(least)} to {presenters.duration_text(most)}"
        parts.append(f"{span} between them, growing by {retry.get('factor', 1):g}")
    if retry.get("randomize"):
        parts.append("with jitter")
    return ", ".join(parts)
