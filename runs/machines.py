"""Machine presets (features.md 15.3): what they have, and which runs are too heavy to take unweighed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from runs import conf
from runs.errors import InvalidOption


@dataclass(frozen=True, slots=True)
class Machine:
    """A preset: vCPUs and gigabytes of memory."""

    name: str
    cpu: float
    memory: float


#: The reference's table.
TABLE = {
    "micro": (0.25, 0.25),
    "small-1x": (0.5, 0.5),
    "small-2x": (1.0, 1.0),
    "medium-1x": (1.0, 2.0),
    "medium-2x": (2.0, 4.0),
    "large-1x": (4.0, 8.0),
    "large-2x": (8.0, 16.0),
}
GIGABYTE = 1024**3
#: Of vCPUs, and of gigabytes.
MOST = 100_000


class Presets(Mapping[str, Machine]):
    """The presets by name, each as the table or the setting MACHINES has it (features.md MA-3)."""

    def __init__(self) -> None:
        self._own: object = None
        self._machines: dict[str, Machine] = {}

    def __getitem__(self, name: str) -> Machine:
        own = conf.get("MACHINES")
        if own is not self._own:  # runs ask for it, so it is put together once
            self._machines, self._own = made(redefined()), own
        return self._machines[name]

    def __contains__(self, name: object) -> bool:
        return name in TABLE

    def __iter__(self) -> Iterator[str]:
        return iter(TABLE)

    def __len__(self) -> int:
        return len(TABLE)


PRESETS = Presets()


def made(mine: dict[str, dict[str, float]]) -> dict[str, Machine]:
    return {
        name: Machine(name, **{"cpu": cpu, "memory": memory} | mine.get(name, {}))
        for name, (cpu, memory) in TABLE.items()
    }


def redefined() -> dict[str, dict[str, float]]:
    """What the setting MACHINES says of presets. Raises InvalidOption."""
    own = conf.get("MACHINES")
    if not isinstance(own, Mapping) or not all(isinstance(one, Mapping) for one in own.values()):
        raise wrong_setting(f'a dict as {{"small-1x": {{"cpu": 1, "memory": 2}}}}; got {own!r:.80}')
    for name, facts in own.items():
        if name not in TABLE:
            raise wrong_setting(f"about {', '.join(TABLE)}; there is no {name!r:.40}")
        for fact, value in facts.items():
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if fact not in ("cpu", "memory") or not number or not 0 < value < MOST:
                problem = f"{name} has cpu and memory (gigabytes), numbers above 0"
                raise wrong_setting(f"right where {problem}; got {fact}: {value!r:.40}")
    return {name: dict(facts) for name, facts in own.items()}


def wrong_setting(problem: str) -> InvalidOption:
    return InvalidOption("MACHINES", f'TRACKSIDE["MACHINES"] is {problem}.')


# -- weights --------------------------------------------------------------------------------------

#: The lane of the first preset's heavy runs; those of the others follow, one for each.
HEAVY = 2
#: What sums of fractions may be off by.
DUST = 1e-6
#: vCPUs and gigabytes.
Weight = tuple[float, float]


def share() -> Machine:
    """What every worker process may use unasked: the default machine."""
    return PRESETS.get(conf.get("MACHINE")) or PRESETS["small-1x"]


def is_heavy(name: str) -> bool:
    """Whether a run on this machine takes more than the share of its worker."""
    machine, ours = PRESETS.get(name), share()
    return machine is not None and (machine.cpu > ours.cpu or machine.memory > ours.memory)


def lane_of(name: str, lane: int) -> int:
    """The lane of a run on this machine, of a task whose ordinary runs have `lane`."""
    return heavy_lane(name) if is_heavy(name) else lane


def heavy_lane(name: str) -> int:
    return HEAVY + list(TABLE).index(name)


def weights() -> dict[int, Weight]:
    """What a run of each lane weighs: heavy ones what they ask for, others their worker's share."""
    ours = share()
    heavy = {heavy_lane(one.name): (one.cpu, one.memory) for one in PRESETS.values()}
    return {0: (ours.cpu, ours.memory), 1: (ours.cpu, ours.memory)} | heavy


def used(leases: Iterable[tuple[int, str, int]], weighs: Mapping[int, Weight]) -> Weight:
    """What processes use that hold runs: (process id or 0, run id, lane). Each counts once."""
    processes: dict[int | str, Weight] = {}
    for pid, run_id, lane in leases:
        cpu, memory = weighs.get(lane, (0.0, 0.0))
        before = processes.get(pid or run_id, (0.0, 0.0))
        processes[pid or run_id] = max(cpu, before[0]), max(memory, before[1])
    return sum(one[0] for one in processes.values()), sum(one[1] for one in processes.values())


def fits(weight: Weight, room: tuple[float | None, float | None]) -> bool:
    """Whether there is room for so much; None is without end."""
    return all(has is None or asks <= has + DUST for asks, has in zip(weight, room, strict=True))


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the runs of a cluster may ask for together; None is without end.

    `tight` where that is less than its workers would use with ordinary runs.
    """

    cpu: float | None = None
    memory: float | None = None
    tight: bool = False


BOUNDLESS = Capacity()
