"""The 18 invariants. Each looks at evidence and tells in sentences what is wrong; nothing is right."""

from collections.abc import Callable, Iterator

from tests.chaos.checks import calls, house, limits, runs, times, waits
from tests.chaos.evidence import Evidence

Check = Callable[[Evidence], Iterator[str]]

#: Number and name, as the specification has them.
ALL: dict[str, Check] = {
    "I1 lost": runs.lost,
    "I2 terminal once": runs.terminal_once,
    "I3 entered after success": runs.entered_after_success,
    "I4 attempts": runs.attempts,
    "I5 stuck": house.stuck,
    "I6 limits": limits.exceeded,
    "I7 journal": waits.journal,
    "I8 waits": waits.tokens,
    "I9 once for a key and a tick": calls.once,
    "I10 parents": waits.parents,
    "I11 early": times.early,
    "I12 data": runs.data,
    "I13 repairs and mistakes": house.mistakes,
    "I14 availability": calls.available,
    "I15 recovery": times.recovery,
    "I16 fairness": limits.unfair,
    "I17 integrity": house.damaged,
    "I18 history": runs.history,
}


def broken(evidence: Evidence) -> dict[str, list[str]]:
    """What does not hold, by invariant."""
    found = {name: list(check(evidence)) for name, check in ALL.items()}
    return {name: sentences for name, sentences in found.items() if sentences}
