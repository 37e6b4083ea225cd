"""What stands behind `usage`: the executing time of one attempt, and of its run before."""

from datetime import datetime, timedelta

from django.utils import timezone

from engine import runtime
from engine.runtime import Used
from engine.sdk.notes import aside

MILLISECOND = timedelta(milliseconds=1)


class Meter:
    """Asks the database once in a segment, when somebody first wants to know."""

    def __init__(self, run_id: str, attempt: int, began: datetime) -> None:
        self._asked, self._began = (run_id, attempt), began
        self._used: Used | None = None

    def read(self) -> tuple[int, int]:
        """Executing milliseconds until now: of the attempt, and of the run over all attempts."""
        if self._used is None:
            self._used = aside(lambda: runtime.installed().usage(*self._asked))
        used = self._used
        here = self._here(used) if used.is_executing else 0
        return used.attempt_ms + here, used.total_ms + here

    def _here(self, used: Used) -> int:
        """Of this segment; a start that is recorded together with its end is not there yet."""
        return max(timezone.now() - (used.since or self._began), timedelta()) // MILLISECOND
