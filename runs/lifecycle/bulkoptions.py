"""What a bulk action does differently from the plain verb for one run."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from runs import payloads
from runs.errors import InvalidOption, InvalidPayload
from runs.lifecycle import checks
from runs.mergepatch import patched
from runs.models import BulkKind

#: Most replays a minute, and first replays to wait for, that may be asked for.
FASTEST, MOST_FIRST = 100_000, 1000
#: Seconds all of it may be spread over at most.
LONGEST_SPREAD = 30 * 86_400
#: What came later than this after its time is not made up for.
LATE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkOptions:
    """`patch` is a JSON merge patch (RFC 7396) for every payload, as JSON text; empty for none.

    `version` is that of the task's code the replays are to have; empty for the current one.
    `per_minute` limits how many runs are touched in a minute; 0 for no limit.
    `spread` is in how many seconds all of them are touched, evenly: the rate follows from it; 0 for none.
    `canary` replays have to succeed before the others are made; 0 for none.
    `tags` are added to each run, by REPLAY to the new one. `priority` is that of PRIORITY, in seconds.
    `newest_first` turns the order of the runs around.
    `wait` is how long, in seconds, nothing is done, so that it can be called off.
    """

    patch: str = ""
    version: str = ""
    per_minute: float = 0
    spread: float = 0
    canary: int = 0
    tags: tuple[str, ...] = ()
    priority: float | None = None
    newest_first: bool = False
    wait: float = 0

    @property
    def text(self) -> str:
        """As it is stored; empty for the plain verb."""
        said = {
            name: value for name, value in asdict(self).items() if value not in ("", 0, (), None)
        }
        return json.dumps(said) if said else ""

    @classmethod
    def of(cls, text: str) -> Self:
        said: dict[str, Any] = json.loads(text) if text else {}
        return cls(**said | {"tags": tuple(said.get("tags", ()))})

    def paced(self, total: int) -> Self:
        """With the rate that so many runs are to have."""
        if not self.spread:
            return self
        return replace(self, per_minute=min(total * 60 / self.spread, FASTEST))

    def next_after(self, count: int, due: datetime | None, now: datetime) -> datetime | None:
        """When the next are done after so many runs that were `due`.

        Counted from when they were due: somebody looks every other second only, and what that
        costs would add up.
        """
        if not self.per_minute:
            return None
        began = due if due is not None and timedelta() <= now - due <= LATE else now
        return began + timedelta(minutes=count / self.per_minute)

    def check(self, kind: BulkKind) -> None:
        """Raise InvalidOption for what cannot be done."""
        for name, value, most in (
            ("per_minute", self.per_minute, FASTEST),
            ("canary", self.canary, MOST_FIRST),
            ("spread", self.spread, LONGEST_SPREAD),
        ):
            if not 0 <= value <= most:
                raise InvalidOption(name, f"{name} is 0 to {most:,}, not {value:,}.")
        if self.per_minute and self.spread:
            raise InvalidOption(
                "spread", "State the runs a minute or the time to spread them over, not both."
            )
        checks.tags(self.tags)
        if kind == BulkKind.TAG and not self.tags:
            raise InvalidOption("tags", "State the tags to add.")
        if kind == BulkKind.PRIORITY and self.priority is None:
            raise InvalidOption("priority", "State the priority, in seconds.")
        if kind != BulkKind.REPLAY and (self.patch or self.version or self.canary):
            raise InvalidOption("patch", "Only replays take a patch, a version or first replays.")
        if self.patch:
            self._check_patch()

    def _check_patch(self) -> None:
        try:
            payloads.clean(self.patch)
            patched("null", self.patch)
        except (InvalidPayload, ValueError) as error:
            raise InvalidOption("patch", f"The patch is no JSON: {error}") from error


PLAIN = BulkOptions()
