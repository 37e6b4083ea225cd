"""Why runs of a bulk action were not done: how many of each reason, and which the first ones are."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

#: Different reasons that are told apart, and characters of each.
MOST_REASONS, LONGEST, OTHER = 20, 300, "For another reason."
#: Runs kept of each: what one search of the list takes.
MOST_NAMED = 40


@dataclass(frozen=True, slots=True)
class Refused:
    """So many runs, and the ids of the first MOST_NAMED of them."""

    count: int = 0
    runs: tuple[str, ...] = ()

    def and_of(self, run_id: str) -> "Refused":
        return Refused(self.count + 1, (*self.runs, run_id)[:MOST_NAMED])

    def and_all(self, others: "Refused") -> "Refused":
        return Refused(self.count + others.count, (*self.runs, *others.runs)[:MOST_NAMED])


def read(text: str) -> dict[str, Refused]:
    """What is stored, by reason. Actions begun before ids were kept have none."""
    found = json.loads(text) if text else {}
    return {reason: _refused(one) for reason, one in found.items()}


def _refused(stored: int | list[str | int]) -> Refused:
    if isinstance(stored, int):
        return Refused(stored)
    count, *runs = stored
    return Refused(int(count), tuple(map(str, runs)))


def added(text: str, problems: Iterable[tuple[str, str]]) -> str:
    """What is stored with these runs too, each with what hindered it."""
    known = read(text)
    for run_id, problem in problems:
        reason = problem[:LONGEST]
        if reason not in known and len(known) >= MOST_REASONS:
            reason = OTHER
        known[reason] = known.get(reason, Refused()).and_of(run_id)
    stored = {reason: [one.count, *one.runs] for reason, one in known.items()}
    return json.dumps(stored) if stored else ""
