"""Where runs go that are locked to a version of the task code, or whose task not every cluster has (DEC-31).

A claim knows only whether its own code may execute a run; one that may not puts it back as due.
What is due is promoted, and here promotion learns who may claim it.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

from runs import conf, signals
from runs.lifecycle.fleet import Fleet
from runs.lifecycle.transition import move, note, skip_locked
from runs.models import EventKind, Ready, Run
from runs.states import RunStatus

SYSTEM = "system"
#: Rows one sweep moves in one transaction.
BATCH = 500
#: In these words, so that SQLite sees that the index `ready_pinned` has all of them.
PINNED = RawSQL("pin > ''", (), output_field=BooleanField())


@dataclass(frozen=True, slots=True)
class Way:
    """Where a claimable run goes: to clusters of the version `pin` (empty: to any), locked to the
    version `to` from now on; or nowhere, for the reason `parked`.
    """

    pin: str = ""
    to: str = ""
    parked: str = ""


def settle(run_ids: Sequence[str]) -> None:
    """Send runs that have just become claimable where they may be executed.

    In the transaction that holds their ready rows, which have no pin.
    """
    fleet = Fleet.now()
    runs = Run.objects.filter(pk__in=run_ids, status=RunStatus.QUEUED).light()
    if not fleet.sessions:
        return
    if fleet.is_uniform:
        runs = runs.exclude(version__in=("", fleet.sessions[0].version))
    pins: dict[str, list[str]] = defaultdict(list)
    for run in runs:
        pins[_sent(run, way(run, fleet), fleet)].append(run.pk)
    pins.pop("", None)
    for pin, ids in pins.items():
        Ready.objects.filter(pk__in=ids).update(pin=pin)
    if pins:
        transaction.on_commit(_announce)


def _sent(run: Run, found: Way, fleet: Fleet) -> str:
    """Write where one run goes; the pin it gets."""
    if found.parked:
        _park(run, found.parked)
    elif found.to:
        _go_on_with(run, found.to, fleet)
    return found.pin


def way(run: Run, fleet: Fleet) -> Way:
    """To the version it is locked to; where nobody runs that, to the newest that has its task."""
    able = fleet.able(run.task_id)
    if run.version in able:
        return Way(pin=fleet.pin(run.version))
    if run.version and (run.version_asked or conf.get("STRICT_VERSIONS")):
        return Way(parked=_why_not(run, fleet))
    if not able:
        return Way(parked=f"No running cluster has the task “{run.task_id}”.")
    if not run.version:
        return Way(pin="" if fleet.all_have(run.task_id) else able[0])
    return Way(pin=fleet.pin(able[0]), to=able[0])


def _why_not(run: Run, fleet: Fleet) -> str:
    asked = "It was triggered for" if run.version_asked else "It is locked to"
    if fleet.runs(run.version):
        return f"{asked} version {run.version}, which has no task “{run.task_id}”."
    strict = "" if run.version_asked else " any more (STRICT_VERSIONS is on)"
    return f"{asked} version {run.version}, which no cluster runs{strict}."


def _park(run: Run, reason: str) -> None:
    Ready.objects.filter(pk=run.pk).delete()
    move(
        run.pk,
        RunStatus.PENDING_VERSION,
        EventKind.PARKED,
        actor=SYSTEM,
        reason=reason,
        only_from=frozenset({RunStatus.QUEUED}),
        expires_at=None,
    )


def _go_on_with(run: Run, version: str, fleet: Fleet) -> None:
    """Lock it to another version, and say so in its history."""
    old = f"Version {run.version}"
    why = f"{old} has no task “{run.task_id}”" if fleet.runs(run.version) else f"{old} is gone"
    note(
        run.pk,
        EventKind.MOVED,
        run.status,
        actor=SYSTEM,
        reason=f"{why}; it goes on with {version}.",
        data=json.dumps({"from": run.version, "to": version}),
    )
    Run.objects.filter(pk=run.pk).update(version=version, updated_at=timezone.now())


def release_pins() -> int:
    """Runs kept for a version nobody runs any more are due anew. Returns how many."""
    released = 0
    while moved := _release_some():
        released += moved
    if released:
        _announce()
    return released


def _release_some() -> int:
    running = {one.version for one in Fleet.now().sessions}
    stuck = pinned().exclude(pin__in=running)
    if not stuck.exists():
        return 0
    with transaction.atomic():
        rows = stuck.select_for_update(**skip_locked())[:BATCH]
        ids = [row.pk for row in rows]
        return Ready.objects.filter(pk__in=ids).update(not_before=timezone.now(), pin="")


def pinned() -> QuerySet[Ready]:
    """Runs that are kept for one version; all of them are claimable."""
    return Ready.objects.filter(PINNED)


def _announce() -> None:
    signals.runs_ready.send(sender=Run)
