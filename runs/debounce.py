"""What a debounced trigger asks for (features.md 7.3)."""

import json
from typing import NamedTuple

LEADING, TRAILING = "leading", "trailing"
MODES = (LEADING, TRAILING)
#: Seconds a run is put off at least.
LEAST = 1.0
#: Characters of a key.
LONGEST = 512


class Debounce(NamedTuple):
    """Triggers of one task with one key become one run, `delay` seconds after the last of them.

    "leading" keeps what the first asked for, "trailing" takes what the last did. The run is put off
    for at most `max_delay` seconds in all; None is without end.
    """

    key: str
    delay: float
    mode: str = LEADING
    max_delay: float | None = None

    @property
    def text(self) -> str:
        """As the run keeps it: a JSON object without what is None."""
        return json.dumps(
            {name: value for name, value in self._asdict().items() if value is not None}
        )
