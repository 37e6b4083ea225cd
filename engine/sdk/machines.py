"""What may be said of a machine where a preset is asked for (features.md 15.3)."""

from collections.abc import Mapping

from runs.errors import InvalidOption
from runs.machines import GIGABYTE, PRESETS, Machine, Presets, redefined

__all__ = ["GIGABYTE", "PRESETS", "Machine", "Presets", "memory_of", "preset_name", "redefined"]


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
