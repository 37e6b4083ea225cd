"""What the machines of the runs of a cluster may have together, and what of it is in use."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from runs.machines import Weight, fits, used
from runs.models import Lease, Run, WorkerSession


@dataclass(frozen=True, slots=True)
class Room:
    """vCPUs and gigabytes of a cluster: what it has (None is without end) and what its runs use."""

    cluster: str
    cpu: float | None
    memory: float | None
    used: Weight

    def is_enough(self, weight: Weight) -> bool:
        """Whether so much fits into it when it executes nothing."""
        return fits(weight, (self.cpu, self.memory))

    def has_left(self, weight: Weight) -> bool:
        return fits(weight, self.left)

    @property
    def left(self) -> tuple[float | None, float | None]:
        cpu, memory = (
            None if has is None else max(has - use, 0.0)
            for has, use in zip((self.cpu, self.memory), self.used, strict=True)
        )
        return cpu, memory

    @property
    def sentence(self) -> str:
        """For the Workers page; empty where it is without end."""
        parts = [
            f"{use:g} of {has:g} {unit}"
            for has, use, unit in zip(
                (self.cpu, self.memory), self.used, ("vCPU", "GB"), strict=True
            )
            if has is not None
        ]
        return ", ".join(parts)


def rooms(sessions: Iterable[WorkerSession]) -> dict[str, Room]:
    """By the id of the session."""
    found = list(sessions)
    held: dict[str, list[tuple[int, str, int]]] = {one.pk: [] for one in found}
    leases = list(Lease.objects.filter(session_id__in=held))
    ids = [one.run_id for one in leases]
    lanes = dict(Run.objects.filter(pk__in=ids).values_list("pk", "lane"))
    for one in leases:
        held[one.session_id].append((one.pid, one.run_id, lanes.get(one.run_id, 0)))
    return {one.pk: _room(one, held[one.pk]) for one in found}


def weight(session: WorkerSession, lane: int) -> Weight:
    """What a run of this lane counts for there."""
    return weights(session).get(lane, (0.0, 0.0))


def weights(session: WorkerSession) -> dict[int, Weight]:
    return {int(lane): (one[0], one[1]) for lane, one in json.loads(session.weights).items()}


def _room(session: WorkerSession, leases: list[tuple[int, str, int]]) -> Room:
    uses = used(leases, weights(session))
    return Room(session.cluster, session.capacity_cpu, session.capacity_memory, uses)


def amount(one: tuple[float | None, float | None]) -> str:
    """ "2 vCPU and 4 GB"; what is without end is left out."""
    named = zip(one, ("vCPU", "GB"), strict=True)
    return " and ".join(f"{number:g} {unit}" for number, unit in named if number is not None)
