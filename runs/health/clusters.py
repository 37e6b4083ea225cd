"""The clusters: whether there are any, for all that waits, and whether their clocks agree."""

import time
from collections.abc import Iterator

from django.db import connection
from django.utils import timezone

from runs.health.points import BAD, OK, WARN, Point
from runs.lifecycle.sessions import database_time
from runs.machines import PRESETS, heavy_lane
from runs.models import Ready, Run, WorkerSession
from runs.reads import capacity, sessions
from runs.states import PENDING, RunStatus

#: Seconds clocks may differ; times of runs lie together by less.
APART, FAR_APART = 2.0, 30.0
#: Tasks and lanes named.
NAMED = 3


def clusters() -> Iterator[Point]:
    """Who lives, and who was not heard of."""
    name, now = "Clusters", timezone.now()
    living = list(sessions.living())
    silent = [one for one in living if sessions.is_stale(one, now)]
    taking = [one for one in living if one not in silent and not one.draining]
    if not taking:
        waits = Run.objects.filter(status__in=PENDING).exists()
        text = "None takes runs" + (", and some wait." if waits else "; nothing waits.")
        todo = "Start one: python manage.py qcluster."
        yield Point("clusters", name, BAD if waits else WARN, text, todo, "workers", is_loud=False)
        return
    verb = "take" if len(taking) > 1 else "takes"
    text = f"{len(taking)} {verb} runs, {sum(one.slots for one in taking)} at once."
    if not silent:
        yield Point("clusters", name, OK, text, page="workers")
        return
    named = ", ".join(f"{one.cluster} on {one.host}" for one in silent[:NAMED])
    text += f" Not heard of for two heartbeats: {named}."
    todo = "See whether these machines live and reach the database; their runs go to others soon."
    yield Point("clusters", name, WARN, text, todo, "workers")


def clocks() -> Iterator[Point]:
    """Of machines against the database's: what is due is due by the latter."""
    name = "Clocks"
    if connection.vendor != "postgresql":
        yield Point("clocks", name, OK, "One machine has one clock.")
        return
    offsets = {
        f"{one.host}": one.clock_ahead for one in sessions.living() if one.clock_ahead is not None
    }
    offsets["this web process"] = time.time() - database_time()
    wrong = {host: ahead for host, ahead in offsets.items() if abs(ahead) > APART}
    if not wrong:
        yield Point("clocks", name, OK, f"Within {APART:g} s of the database's.")
        return
    named = ", ".join(
        f"{host} is {abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} the database"
        for host, ahead in sorted(wrong.items(), key=lambda one: -abs(one[1]))[:NAMED]
    )
    far = any(abs(ahead) > FAR_APART for ahead in wrong.values())
    text = f"{named}: times in logs and traces do not agree."
    todo = "Synchronise the clocks of all machines, say with chrony or systemd-timesyncd."
    yield Point("clocks", name, BAD if far else WARN, text, todo, "workers")


def listening() -> Iterator[Point]:
    """Whether clusters hear that there is something to do; otherwise they find out by polling."""
    name = "Wake-ups"
    deaf = [one for one in sessions.living() if one.is_deaf]
    if not deaf:
        yield Point("listening", name, OK, "Reach every cluster.")
        return
    named = ", ".join(f"{one.cluster} on {one.host}" for one in deaf[:NAMED])
    text = f"Do not reach {named}: runs start up to a poll later than they could."
    todo = "Set TRACKSIDE_LISTEN_URL to an address of PostgreSQL itself: LISTEN does not pass a pooler of transactions."
    yield Point("listening", name, WARN, text, todo, "workers")


def unserved() -> Iterator[Point]:
    """Queued runs that no living cluster may or can take."""
    now = timezone.now()
    living = [one for one in sessions.living() if not sessions.is_stale(one, now)]
    problems = [
        *_unknown(),
        *(_heavy(living) if living else ()),
        *(_pinned(living) if living else ()),
    ]
    name = "Runs nobody can take"
    if problems:
        for text, todo in problems:
            yield Point("unserved", name, WARN, text, todo, "workers")
    else:
        yield Point("unserved", name, OK, "None.")


def _unknown() -> Iterator[tuple[str, str]]:
    """Their task is in no code that runs."""
    newest = Run.objects.filter(status=RunStatus.PENDING_VERSION).order_by("-id")[:200]
    tasks = sorted(set(newest.values_list("task_id", flat=True)))
    if tasks:
        named = ", ".join(tasks[:NAMED]) + (" and others" if len(tasks) > NAMED else "")
        yield (
            f"Runs of {named} wait for code that has their task.",
            "Start a cluster whose task files have them, or cancel the runs.",
        )


def _heavy(living: list[WorkerSession]) -> Iterator[tuple[str, str]]:
    """Their machine is larger than any cluster."""
    rooms = capacity.rooms(living)
    for preset in PRESETS:
        lane = heavy_lane(preset)
        waits = Ready.objects.filter(not_before__isnull=True, lane__gte=2, lane=lane)
        if not waits.exists():
            continue
        if not any(rooms[one.pk].is_enough(capacity.weight(one, lane)) for one in living):
            yield (
                f"Runs on the machine {preset} wait, and no cluster has so much room.",
                "Start a cluster on a larger machine, raise CAPACITY_CPU and CAPACITY_MEMORY, or ask for a smaller machine.",
            )


def _pinned(living: list[WorkerSession]) -> Iterator[tuple[str, str]]:
    """They are kept for a version that is gone."""
    here = {one.version for one in living}
    rows = Ready.objects.filter(not_before__isnull=True, pin__gt="").order_by("pin")
    pins = set(rows.values_list("pin", flat=True)[:200])
    if gone := sorted(pins - here):
        yield (
            f"Runs are kept for version {gone[0]:.40}, which no cluster runs.",
            "Start a cluster of that version, or unlock the runs on their pages.",
        )
