"""Waking runs that nobody else will wake."""

import logging

from runs import lifecycle

log = logging.getLogger("trackside")
#: Ids named in one line of the log.
NAMED = 10


class Mender:
    """Looks through all waiting runs, some at each turn."""

    def __init__(self) -> None:
        self.after = ""

    def mend(self) -> int:
        """Wake what is forgotten among the next ones; returns how many."""
        found, self.after = lifecycle.mend_waiting(self.after)
        if found:
            log.warning(
                "Woke %s waiting runs that nobody would have woken: %s. Their timelines say why.",
                len(found),
                ", ".join(found[:NAMED]) + (", …" if len(found) > NAMED else ""),
            )
        return len(found)
