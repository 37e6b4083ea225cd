"""What a trigger does while runs of its task and concurrency key are open (DEC-43).

Triggers of one lane, a task with a key, take turns until their transaction ends: each sees what the one
before it made. A run that is to wait for others is held: it stands in its queue like one that waits for
runs to end, and whoever writes the last of these ends lets it go.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from runs import signals
from runs.errors import NotFound
from runs.lifecycle import canceling, definitions, keys, store
from runs.lifecycle.transition import note
from runs.models import NEVER, EventKind, Overlap, Ready, Run, Waiter
from runs.states import RunStatus

ALLOW = Overlap.ALLOW.value
#: Policies under which a run may be held until others have ended.
HOLDING = (Overlap.QUEUE_ONE.value, Overlap.CANCEL_PREVIOUS.value)
#: Open runs of a lane that are looked at.
LOOKED_AT = 1000
#: First number of our advisory locks; the second is a lane's, or 0 for all lanes.
LOCKS = 0x7472
#: A trigger of more lanes locks all of them at once: the server's room for locks is bounded.
MANY = 500
SHARED = "SELECT pg_advisory_xact_lock_shared(%s, 0)"
ALL = "SELECT pg_advisory_xact_lock(%s, 0)"
EACH = "SELECT pg_advisory_xact_lock(%s, number) FROM unnest(%s::int[]) AS number"
REPLACED = "A later trigger of its task took its place."
BATCH = 100


@dataclass(frozen=True, slots=True)
class Entrance:
    """What becomes of a trigger: `skipped_for` is the run that answers it instead, else a run is made.

    That is held until all of `behind` have ended, which are `stopped` if the policy says so.
    """

    skipped_for: str | None = None
    behind: list[str] = field(default_factory=list)
    stopped: bool = False


def lane(task_id: str, concurrency_key: str | None) -> str:
    """SHA-256 hex of a task and key; no key and the empty key are two."""
    return keys.hashed(f"{task_id}\n" + ("" if concurrency_key is None else f"={concurrency_key}"))


def take_turns(lanes: Collection[str]) -> None:
    """Wait for other triggers of these lanes, and keep later ones waiting until the transaction ends.

    Lanes are locked in one order by everybody. Writers are serial on SQLite anyway.
    """
    if connection.vendor != "postgresql":
        return
    numbers = sorted({number(one) for one in lanes})
    with connection.cursor() as cursor:
        if len(numbers) > MANY:
            cursor.execute(ALL, [LOCKS])
            return
        cursor.execute(SHARED, [LOCKS])
        cursor.execute(EACH, [LOCKS, numbers])


def number(one: str) -> int:
    """A lane as the database numbers locks: a positive int, so that 0 stays free."""
    return int(one[:8], 16) % (2**31 - 1) + 1


def enter(one: str, policy: str, parent_id: str | None) -> Entrance:
    """What this policy makes of a trigger in a lane that is locked."""
    runs = list(open_runs(one).order_by("id").values_list("pk", flat=True)[:LOOKED_AT])
    if policy == Overlap.CANCEL_PREVIOUS and runs and parent_id is not None:
        above = ancestors(parent_id)  # a run does not stop itself, nor what it came from
        runs = [run for run in runs if run not in above]
    if not runs or policy == ALLOW:
        return Entrance()
    if policy == Overlap.SKIP:
        return Entrance(skipped_for=runs[0])
    if policy == Overlap.QUEUE_ONE and len(runs) > 1:
        return Entrance(skipped_for=runs[-1])
    return Entrance(behind=runs, stopped=policy == Overlap.CANCEL_PREVIOUS)


def open_runs(one: str) -> QuerySet[Run]:
    return Run.objects.filter(overlap_lane=one, finished_at__isnull=True)


def ancestors(run_id: str) -> set[str]:
    """A run and all above it."""
    found: set[str] = set()
    at: str | None = run_id
    while at is not None and at not in found:
        found.add(at)
        at = Run.objects.filter(pk=at).values_list("parent_id", flat=True).first()
    return found


def tell_skipped(run_id: str, actor: str) -> None:
    """Note on the run that answered a trigger in place of one of its own."""
    status = Run.objects.filter(pk=run_id).values_list("status", flat=True).first()
    reason = "A trigger made no run because this one was open."
    note(run_id, EventKind.SKIPPED, status or "", actor=actor, reason=reason)


def hold(run_id: str, entrance: Entrance) -> None:
    """Keep a new run from starting until those before it have ended. In the trigger's transaction."""
    behind = entrance.behind
    word = "is being stopped" if entrance.stopped else "ends"
    reason = f"Waits until run {behind[-1]} {word}."
    Ready.objects.filter(pk=run_id).update(not_before=NEVER)
    Run.objects.filter(pk=run_id).update(reason=reason)
    Run.objects.filter(pk__in=behind, awaited=False, finished_at__isnull=True).update(awaited=True)
    Waiter.objects.bulk_create(
        Waiter(target=target, run_id=run_id, one_suffices=False) for target in behind
    )
    transaction.on_commit(lambda: settle(behind, stop=entrance.stopped), robust=True)


def settle(behind: Iterable[str], *, stop: bool) -> None:
    """The held run is there for all to see: stop what it replaces, and find out what ended meanwhile."""
    for target in behind:
        if stop:
            _stop(target)
        _let_go(target)
    signals.runs_ready.send(sender=Run)


def _stop(run_id: str) -> None:
    try:
        canceling.cancel(run_id, actor="system", reason=REPLACED)
    except NotFound:
        return  # it was pruned


@transaction.atomic
def _let_go(target: str) -> bool:
    """Whoever waits for this run goes on if it has ended. Its row's lock waits for an end being written."""
    no_key = connection.features.has_select_for_no_key_update
    locked = Run.objects.select_for_update(no_key=no_key).filter(pk=target)
    if locked.filter(finished_at__isnull=True).exists():
        return False
    store.current().wake(target)
    return True


def settle_held() -> int:
    """Do what a trigger could not, because its process ended right after its commit. Returns how much.

    Looks at held runs alone: open, in a lane, never started, and behind another.
    """
    held = Run.objects.filter(
        Q(overlap_lane__isnull=False), finished_at__isnull=True, started_at__isnull=True
    )
    waiters = Waiter.objects.filter(run_id__in=held.values("pk")).values_list("target", "run_id")
    done = 0
    for target, run_id in list(waiters[:BATCH]):
        run = Run.objects.filter(pk=target).only("finished_at", "cancel_requested_at").first()
        if run is None or run.finished_at is not None:
            done += _let_go(target)
        elif run.cancel_requested_at is None and _replaces(run_id):
            _stop(target)
            done += 1
    if done:
        signals.runs_ready.send(sender=Run)
    return done


def _replaces(run_id: str) -> bool:
    """Whether the policy of this held run's task stops what is before it."""
    task_id = Run.objects.filter(pk=run_id).values_list("task_id", flat=True).first()
    return task_id is not None and definitions.task(task_id).overlap == Overlap.CANCEL_PREVIOUS


def is_held(run: Run) -> bool:
    """Whether a run that was never started waits for others to end."""
    if run.overlap_lane is None or run.started_at is not None or run.status == RunStatus.WAITING:
        return False
    return Waiter.objects.filter(run_id=run.pk).exists()
