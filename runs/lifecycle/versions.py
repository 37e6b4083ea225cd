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
from runs.lifecycle import fleet as clusters
from runs.lifecycle.fleet import Fleet
from runs.lifecycle.transition import skip_locked
from runs.models import Event, EventKind, Ready, Run
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
    ways: dict[Way, list[Run]] = defaultdict(list)
    halted = frozenset[str]() if fleet.is_uniform else clusters.paused()
    for run in runs:
        ways[_halt(run) if run.task_id in halted else way(run, fleet)].append(run)
    for found, those in ways.items():
        _send(found, those, fleet)
    if any(found.pin for found in ways):
        transaction.on_commit(_announce)


def _halt(run: Run) -> Way:
    """Nowhere until its task goes on."""
    return Way(pin=clusters.pause_pin(run.task_id))


def _send(found: Way, runs: Sequence[Run], fleet: Fleet) -> None:
    """Write where these runs go, all of them the same way."""
    ids = [run.pk for run in runs]
    if found.parked:
        _park(ids, found.parked)
    if found.to:
        _go_on_with(runs, found.to, fleet)
    if found.pin:
        Ready.objects.filter(pk__in=ids).update(pin=found.pin)


def way(run: Run, fleet: Fleet) -> Way:
    """To the version it is locked to; where nobody runs that, to the newest that has its task."""
    able = fleet.able(run.task_id)
    if run.version in able or fleet.is_coming(run.version):
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


def _park(ids: Sequence[str], reason: str) -> None:
    """Nobody can move them meanwhile: whoever wants to looks for their ready rows first."""
    now, parked = timezone.now(), RunStatus.PENDING_VERSION
    Ready.objects.filter(pk__in=ids).delete()
    Run.objects.filter(pk__in=ids, status=RunStatus.QUEUED).update(
        status=parked, reason=reason, expires_at=None, updated_at=now
    )
    facts = {"kind": EventKind.PARKED, "status": parked, "actor": SYSTEM, "reason": reason}
    Event.objects.bulk_create(Event(run_id=run_id, at=now, **facts) for run_id in ids)


def _go_on_with(runs: Sequence[Run], version: str, fleet: Fleet) -> None:
    """Lock them to another version, and say so in their history."""
    now = timezone.now()
    Run.objects.filter(pk__in=[run.pk for run in runs]).update(version=version, updated_at=now)
    Event.objects.bulk_create(
        Event(
            run_id=run.pk,
            kind=EventKind.MOVED,
            status=RunStatus.QUEUED,
            actor=SYSTEM,
            reason=f"{_why_left(run, fleet)}; it goes on with {version}.",
            data=json.dumps({"from": run.version, "to": version}),
            at=now,
        )
        for run in runs
    )


def _why_left(run: Run, fleet: Fleet) -> str:
    if fleet.runs(run.version):
        return f"Version {run.version} has no task “{run.task_id}”"
    return f"Version {run.version} is gone"


def release_pins() -> int:
    """Runs kept for a version nobody runs any more are due anew. Returns how many."""
    released = 0
    while moved := _release_some():
        released += moved
    if released:
        _announce()
    return released


def _release_some() -> int:
    if not pinned().exists():
        return 0
    running = {one.version for one in Fleet.now().sessions}
    running |= {clusters.pause_pin(task_id) for task_id in clusters.paused()}
    stuck = pinned().exclude(pin__in=running)
    if not stuck.exists():
        return 0
    with transaction.atomic():
        rows = stuck.select_for_update(**skip_locked())[:BATCH]
        ids = [row.pk for row in rows]
        return Ready.objects.filter(pk__in=ids).update(not_before=timezone.now(), pin="")


def pinned() -> QuerySet[Ready]:
    """Runs that are kept for one version, or whose task is paused; all of them are claimable."""
    return Ready.objects.filter(PINNED)


def _announce() -> None:
    signals.runs_ready.send(sender=Run)
