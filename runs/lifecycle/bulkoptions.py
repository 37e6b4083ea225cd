"""What a bulk action does differently from the plain verb for one run."""

import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Self

from runs import payloads
from runs.errors import InvalidOption, InvalidPayload
from runs.lifecycle import checks
from runs.mergepatch import patched
from runs.models import BulkKind

#: Most replays a minute, and first replays to wait for, that may be asked for.
FASTEST, MOST_FIRST = 100_000, 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkOptions:
    """`patch` is a JSON merge patch (RFC 7396) for every payload, as JSON text; empty for none.

    `version` is that of the task's code the replays are to have; empty for the current one.
    `per_minute` limits how many runs are touched in a minute; 0 for no limit.
    `canary` replays have to succeed before the others are made; 0 for none.
    `tags` are added to each run, by REPLAY to the new one. `priority` is that of PRIORITY, in seconds.
    `newest_first` turns the order of the runs around.
    `wait` is how long, in seconds, nothing is done, so that it can be called off.
    """

    patch: str = ""
    version: str = ""
    per_minute: int = 0
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

    def pause_after(self, count: int) -> timedelta | None:
        """How long nothing more is done after so many runs."""
        return timedelta(minutes=count / self.per_minute) if self.per_minute else None

    def check(self, kind: BulkKind) -> None:
        """Raise InvalidOption for what cannot be done."""
        for name, value, most in (
            ("per_minute", self.per_minute, FASTEST),
            ("canary", self.canary, MOST_FIRST),
        ):
            if not 0 <= value <= most:
                raise InvalidOption(name, f"{name} is 0 to {most:,}, not {value:,}.")
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
