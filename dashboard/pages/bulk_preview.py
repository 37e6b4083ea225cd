"""What a bulk action would do, told before it is begun: numbers, a sample, and what a patch would make."""

import difflib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from dashboard import sight
from dashboard.pages import run_rows
from dashboard.presenters import LOOKS, Look
from runs import exact, payloads
from runs.errors import InvalidPayload
from runs.lifecycle.bulkverbs import patched_payload
from runs.models import BulkKind, Run, Task
from runs.models.run import RunQuerySet
from runs.reads.deadline import deadline
from runs.states import FINAL

#: Runs counted at most, looked at for the breakdown, tried with a patch, and shown.
COUNTED, LOOKED_AT, TRIED, SHOWN, DIFFS = 1_000_000, 1_000, 200, 10, 3
#: Characters of a payload a difference is shown of.
LONGEST = 20_000
PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Trial:
    """A patch tried on some payloads: how many, why some would not do, and what it changes."""

    tried: int
    problems: list[tuple[str, int]]
    diffs: list[tuple[str, list[tuple[str, str]]]]

    @property
    def bad(self) -> int:
        return sum(count for _, count in self.problems)


@dataclass(frozen=True, slots=True)
class Preview:
    """The runs that are meant now."""

    count: int
    looked_at: int
    looks: list[tuple[Look, int]]
    tasks: list[tuple[str, int]]
    versions: list[tuple[str, int]]
    #: By the name of their error.
    errors: list[tuple[str, int]]
    rows: Sequence[Any]
    #: Of those looked at: none of which anything would become.
    ended: int
    trial: Trial | None = None


def preview(runs: RunQuerySet, patch: str) -> Preview:
    """Raises TooSlow where finding them takes too long."""
    with deadline(PATIENCE):
        count = runs.order_by()[:COUNTED].count()
        newest = list(runs.only(*run_rows.COLUMNS).order_by("-id")[:LOOKED_AT])
    return Preview(
        count,
        len(newest),
        Counter(LOOKS[run.status] for run in newest).most_common(),
        Counter(run.task_id for run in newest).most_common(SHOWN),
        Counter(run.version for run in newest if run.version).most_common(SHOWN),
        Counter(name for run in newest if (name := _error(run))).most_common(SHOWN),
        run_rows.rows(newest[:SHOWN], timezone.now(), ()),
        sum(run.status in FINAL for run in newest),
        trial([run.pk for run in newest[:TRIED]], patch) if patch else None,
    )


def _error(run: Run) -> str:
    """The name of what it ended by."""
    if not run.error or run.status not in FINAL:
        return ""
    return sight.text(str(json.loads(run.error).get("name") or ""))[:100]


def trial(ids: Sequence[str], patch: str) -> Trial:
    """The patch on these payloads; nothing is stored."""
    schemas = dict(Task.objects.values_list("id", "schema"))
    problems: Counter[str] = Counter()
    diffs: list[tuple[str, list[tuple[str, str]]]] = []
    for run in Run.objects.filter(pk__in=ids).only("task_id", "payload").order_by("-id"):
        try:
            made = patched_payload(run.payload, patch)
            if schema := schemas.get(run.task_id):
                payloads.check(schema, made)
        except InvalidPayload as error:
            problems[sight.text(str(error)) if not sight.is_hidden() else sight.HIDDEN] += 1
            continue
        if len(diffs) < DIFFS and not sight.is_hidden():
            diffs.append((run.pk, difference(run.payload or "null", made)))
    return Trial(len(ids), problems.most_common(SHOWN), diffs)


def difference(before: str, after: str) -> list[tuple[str, str]]:
    """(sign, line) of the changed lines of two payloads, as the reader may see them."""
    old, new = (_lines(text) for text in (before, after))
    found = difflib.unified_diff(old, new, n=1, lineterm="")
    return [(line[0], line[1:]) for line in found if not line.startswith(("---", "+++", "@@"))]


def _lines(text: str) -> list[str]:
    shown = sight.document(text, "payload")
    if len(shown) > LONGEST:
        return [shown[:LONGEST]]
    try:
        return exact.dumps(exact.loads(shown)).split("\n")
    except ValueError:
        return [shown]


def is_risky(kind: str) -> bool:
    """Whether what it does cannot be taken back."""
    return kind == BulkKind.CANCEL


def word(kind: str, count: int) -> str:
    """What the button says."""
    runs = f"{count:,} run{'' if count == 1 else 's'}"
    return {
        BulkKind.CANCEL: f"Cancel {runs}",
        BulkKind.REPLAY: f"Replay {runs}",
        BulkKind.TAG: f"Tag {runs}",
        BulkKind.KEY: f"Reset the keys of {runs}",
        BulkKind.PRIORITY: f"Set the priority of {runs}",
    }[BulkKind(kind)]
