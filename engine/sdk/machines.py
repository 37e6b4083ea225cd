"""Machine presets (features.md 15.3)."""

from collections.abc import Iterator, Mapping
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


GIGABYTE = 1024**3
#: Of vCPUs, and of gigabytes.
MOST = 100_000


def memory_of(name: str) -> int:
    """Bytes of memory a preset has."""
    return int(PRESETS[name].memory * GIGABYTE)


#: Of what a machine that is a dict may ask for.
MOST = 1_000_000
#: What a machine that is a dict may name.
FORMS: list[set[object]] = [{"preset"}, {"cpu"}, {"memory"}, {"cpu", "memory"}]


def preset_name(value: object) -> str:
    """The preset of a name, of `{"preset": name}` or of the older `{"cpu": 1, "memory": 2}`.

    The older form means the smallest preset that holds both. Raises InvalidOption.
    """
    if isinstance(value, Mapping):
        if set(value) not in FORMS:
            raise InvalidOption(
                "machine",
                f'machine is {{"preset": ...}} or {{"cpu": ..., "memory": ...}}; got {value!r:.80}.',
            )
        return preset_name(value["preset"]) if "preset" in value else _smallest(value)
    if isinstance(value, str) and value in PRESETS:
        return value
    raise InvalidOption("machine", f"machine is one of {', '.join(PRESETS)}; got {value!r}.")


def _smallest(wanted: Mapping[str, object]) -> str:
    cpu, memory = (_amount(wanted, name) for name in ("cpu", "memory"))
    fitting = [one for one in PRESETS.values() if one.cpu >= cpu and one.memory >= memory]
    if fitting:
        return min(fitting, key=lambda one: (one.cpu, one.memory)).name
    raise InvalidOption("machine", f"No machine preset has {cpu:g} vCPU and {memory:g} GB.")


def _amount(wanted: Mapping[str, object], name: str) -> float:
    value = wanted.get(name, 0)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= MOST:
        return float(value)
    raise InvalidOption("machine", f"machine.{name} must be a number from 0; got {value!r:.80}.")
