"""Machine presets (features.md 15.3)."""

from collections.abc import Mapping
from dataclasses import dataclass

from runs.errors import InvalidOption


@dataclass(frozen=True, slots=True)
class Machine:
    """A preset: vCPUs and gigabytes of memory."""

    name: str
    cpu: float
    memory: float


#: Smallest first.
PRESETS = {
    machine.name: machine
    for machine in (
        Machine("micro", 0.25, 0.25),
        Machine("small-1x", 0.5, 0.5),
        Machine("small-2x", 1, 1),
        Machine("medium-1x", 1, 2),
        Machine("medium-2x", 2, 4),
        Machine("large-1x", 4, 8),
        Machine("large-2x", 8, 16),
    )
}


GIGABYTE = 1024**3


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
    for machine in PRESETS.values():
        if machine.cpu >= cpu and machine.memory >= memory:
            return machine.name
    raise InvalidOption("machine", f"No machine preset has {cpu:g} vCPU and {memory:g} GB.")


def _amount(wanted: Mapping[str, object], name: str) -> float:
    value = wanted.get(name, 0)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= MOST:
        return float(value)
    raise InvalidOption("machine", f"machine.{name} must be a number from 0; got {value!r:.80}.")
