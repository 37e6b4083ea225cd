"""Every stored fact of a run, in words."""

import json
from datetime import datetime
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from dashboard import presenters
from dashboard.templatetags.trackside import exact, who
from runs.debounce import Debounce
from runs.models import Batch, Run, Schedule
from runs.reads import usage

#: (term, value, address or empty)
Fact = tuple[str, str | SafeString, str]


def facts(run: Run) -> list[tuple[str, list[Fact]]]:
    """In the order people ask."""
    return [
        ("What", _what(run)),
        ("When", _times(run)),
        ("Options", [*_limits(run), *_key(run), *_debounce(run)]),
        ("From where", _origin(run)),
    ]


def _what(run: Run) -> list[Fact]:
    queue = reverse("dashboard:queue", args=[run.queue])
    same = _list(task=run.task_id)
    return [
        ("Run", run.id, ""),
        ("Task", run.task_id, same),
        ("Status", f"{presenters.look(run).word}: {presenters.look(run).help}", ""),
        ("Reason", run.reason or "–", ""),
        ("Queue", run.queue, queue),
        ("Concurrency key", "–" if run.concurrency_key is None else run.concurrency_key, ""),
        ("Version", _version(run), _list(version=run.version) if run.version else ""),
        ("Machine", run.machine, _list(machine=run.machine)),
    ]


def _list(**asked: str) -> str:
    """The runs like it."""
    return reverse("dashboard:runs") + "?" + urlencode(asked)


def _version(run: Run) -> str:
    if run.version_asked:
        return f"{run.version}, asked for by the trigger"
    return run.version or "not locked yet"


def _limits(run: Run) -> list[Fact]:
    return [
        ("Priority", f"{run.priority:g} s of head start", ""),
        ("Attempts", _attempts(run), ""),
        ("Lost clusters", str(run.crash_count), ""),
        ("Maximum duration", _span(run.max_duration, "no limit"), ""),
        ("Time to live", _span(run.ttl, "for ever"), ""),
        ("Executing time", _executed(run), ""),
        ("Test run", "yes" if run.is_test else "no", ""),
    ]


def _executed(run: Run) -> str:
    """Waits and pauses between attempts are not part of it."""
    if run.executed_at is None and not run.usage_ms:
        return "–"
    text = presenters.duration_text(usage.executed(run, timezone.now()))
    return text if run.is_final else f"{text} so far"


def _debounce(run: Run) -> list[Fact]:
    if run.debounce is None:
        return []
    asked = Debounce(**json.loads(run.debounce))
    longest = "" if asked.max_delay is None else f", at most {asked.max_delay:g} s in all"
    return [("Debounced", f"“{asked.key}”, {asked.delay:g} s, {asked.mode}{longest}", "")]


def _key(run: Run) -> list[Fact]:
    if run.idempotency_key is None:
        return [("Idempotency key", "–", "")]
    return [
        ("Idempotency key", run.idempotency_key, ""),
        ("Key's scope", run.idempotency_scope or "global", ""),
        ("Key expires", exact(run.idempotency_expires_at), ""),
    ]


def _times(run: Run) -> list[Fact]:
    times: list[tuple[str, datetime | None]] = [
        ("Created", run.created_at),
        ("Queued", run.queued_at),
        ("Delayed until", run.delay_until),
        ("Retry due", run.retry_at),
        ("First claimed", run.started_at),
        ("First executed", run.executed_at),
        ("Expires", run.expires_at),
        ("Cancel requested", run.cancel_requested_at),
        ("Finished", run.finished_at),
    ]
    return [(term, exact(value), "") for term, value in times]


def _origin(run: Run) -> list[Fact]:
    made = f"{run.get_source_display()}, by {who(run.actor)}" if run.actor else ""
    found: list[Fact] = [("Triggered from", made or run.get_source_display(), "")]
    if run.schedule_id is not None:
        found.append(("Schedule", run.schedule_id, _schedule(run.schedule_id)))
    if run.batch_id is not None:
        found.append(("Batch", run.batch_id, _batch(run.batch_id)))
    links: list[tuple[str, str | None]] = [
        ("Replay of", run.replayed_from_id),
        ("Parent", run.parent_id),
        ("Root", run.root_id),
    ]
    for term, other in links:
        found.append((term, other or "–", reverse("dashboard:run", args=[other]) if other else ""))
    return found


def _batch(batch_id: str) -> str:
    """Its page; retention may have removed it."""
    there = Batch.objects.filter(pk=batch_id).exists()
    return reverse("dashboard:batch", args=[batch_id]) if there else ""


def _schedule(schedule_id: str) -> str:
    """Its page; a deleted schedule has none."""
    there = Schedule.objects.filter(pk=schedule_id).exists()
    return reverse("dashboard:schedule", args=[schedule_id]) if there else ""


def _attempts(run: Run) -> str:
    handed_back = f", {run.uncounted_attempts} more handed back" if run.uncounted_attempts else ""
    return f"{presenters.tries(run)} of {run.max_attempts}{handed_back}"


def _span(seconds: float | None, none: str) -> str:
    return none if seconds is None else presenters.duration_text(seconds)
