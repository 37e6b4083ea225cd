"""What is to be done in one campaign, from one seed, written down before it begins.

A fault has its moment in work, not in seconds: after so many items were sent. So the same plan meets
the same work on a fast machine and on a slow one, and a plan with half of its faults is still a plan.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.chaos.armed import MOMENTS, VERBS

#: Items of each kind in a thousand.
MIX = {
    "plain": 220, "plain-async": 100, "in-one": 20, "in-three": 30, "in-five": 30, "in-keyed": 80,
    "in-fair": 60, "steps": 100, "nest": 60, "join": 20, "batch": 40, "ask": 60, "sleep": 30, "delayed": 30,
    "fail": 60, "canceled": 30, "ttl": 20, "storm": 20, "overtime": 20, "killer": 10,
}  # fmt: skip
#: Concurrency keys of the queues that have some.
KEYS = 20


@dataclass(frozen=True, kw_only=True)
class Figures:
    """How much of what."""

    runs: int = 1000
    kills: int = 20
    #: Whole clusters stopped for 0.5 to 3 leases, ended backends, lost packets, restarts and crashes of the server.
    stops: int = 2
    terminations: int = 0
    losses: int = 0
    restarts: int = 0
    crashes: int = 0
    nodes: int = 3
    workers: int = 2
    webs: int = 2
    async_slots: int = 4
    #: Fires of schedules in a second.
    ticks: float = 10.0
    #: Timers are so many times as long as they could be, for machines that are busy with other things.
    pace: float = 1.0
    #: Seconds of the longest bodies.
    longest: float = 0.15
    #: Items under way at most.
    crowd: int = 60


@dataclass
class Plan:
    seed: int
    figures: Figures
    items: list[dict[str, Any]] = field(default_factory=list)
    faults: list[dict[str, Any]] = field(default_factory=list)

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1))

    def with_faults(self, faults: list[dict[str, Any]]) -> "Plan":
        return Plan(self.seed, self.figures, self.items, faults)


def load(path: Path) -> Plan:
    facts = json.loads(path.read_text())
    return Plan(facts["seed"], Figures(**facts["figures"]), facts["items"], facts["faults"])


def made(seed: int, figures: Figures) -> Plan:
    chosen = Random(seed)
    wanted = enumerate(kinds(figures.runs, chosen))
    items = [item(kind, number, chosen, figures.longest) for number, kind in wanted]
    return Plan(seed, figures, items, faults(figures, chosen))


def kinds(count: int, chosen: Random) -> list[str]:
    """As the mix says, each kind at least once, in any order."""
    total = sum(MIX.values())
    found = [kind for kind, part in MIX.items() for _ in range(max(1, part * count // total))]
    found += ["plain"] * (count - len(found))
    chosen.shuffle(found)
    return found


def item(kind: str, number: int, chosen: Random, longest: float) -> dict[str, Any]:
    """One piece of work: the task, its payload and options, and what its caller does besides."""
    plain = {"n": number, "seconds": short(chosen, longest)}
    found = {"task": kind, "payload": plain, "options": {}, **SPECIAL.get(kind, nothing)(chosen)}
    found["payload"] = {**plain, **found.get("more", {})}
    # The API knows durations as text, and lengthens those below five seconds.
    by_code = {"delay", "ttl", "max_duration"} & found["options"].keys()
    return {**found, "kind": kind, "by": "sdk" if by_code else chosen.choice(["api", "sdk"])}


def nothing(_: Random) -> dict[str, Any]:
    return {}


def keyed(chosen: Random) -> dict[str, Any]:
    return {"options": {"concurrency_key": f"key {chosen.randrange(KEYS)}"}}


def nested(chosen: Random) -> dict[str, Any]:
    return {"more": {"depth": chosen.randrange(1, 4)}}


def asking(chosen: Random) -> dict[str, Any]:
    """When the token is completed: by another run right then, or at some time; before the wait, twice, never."""
    how = chosen.choices(["race", "once", "before", "twice", "never"], [40, 45, 5, 5, 5])[0]
    more = {"races": how == "race", "seconds": chosen.uniform(0.0, 0.02)}
    return {"answered": how, "after": chosen.uniform(0.0, 1.5), "more": more}


def sleeping(chosen: Random) -> dict[str, Any]:
    return {"more": {"wait": chosen.uniform(1.0, 1.6)}}


def delayed(chosen: Random) -> dict[str, Any]:
    return {"task": "plain", "options": {"delay": chosen.uniform(0.3, 2.0)}}


def failing(chosen: Random) -> dict[str, Any]:
    return {"more": {"fails": chosen.randrange(1, 4)}}


def canceled(chosen: Random) -> dict[str, Any]:
    after = chosen.choice([0.0, chosen.uniform(0, 1.5)])
    return {"task": "slow", "more": {"seconds": chosen.uniform(0.05, 1.5)}, "after": after}


def expiring(chosen: Random) -> dict[str, Any]:
    return {"task": "plain", "options": {"ttl": chosen.uniform(0.05, 0.6)}}


def overtime(chosen: Random) -> dict[str, Any]:
    return {"options": {"max_duration": chosen.uniform(0.3, 0.8)}}


def killing_itself(chosen: Random) -> dict[str, Any]:
    """Always; or once, when the time to live of runs that were never started is over."""
    if chosen.random() < 0.3:
        return {"more": {"always": True, "seconds": 0.0}, "options": {"max_attempts": 2}}
    return {"more": {"always": False, "seconds": 1.6}, "options": {"ttl": 1.5}}


SPECIAL: dict[str, Callable[[Random], dict[str, Any]]] = {
    "in-keyed": keyed,
    "in-fair": keyed,
    "nest": nested,
    "join": lambda _: {"more": {"many": 3}},
    "batch": lambda _: {"more": {"many": 10}},
    "ask": asking,
    "sleep": sleeping,
    "delayed": delayed,
    "fail": failing,
    "canceled": canceled,
    "ttl": expiring,
    "storm": lambda _: {"task": "plain", "callers": 8},
    "overtime": overtime,
    "killer": killing_itself,
}


def short(chosen: Random, longest: float) -> float:
    """Seconds: mostly no time at all, sometimes some."""
    return chosen.choice([0.0, 0.0, 0.0, chosen.uniform(0.0, 0.02), chosen.uniform(0.02, longest)])


def faults(figures: Figures, chosen: Random) -> list[dict[str, Any]]:
    """In the order of their moments; none in the first and the last twentieth of the work."""
    found = [killing(number, chosen) for number in range(figures.kills)]
    found += [{"kind": "stop", "leases": chosen.uniform(0.5, 3.0)} for _ in range(figures.stops)]
    found += [{"kind": "terminate"} for _ in range(figures.terminations)]
    found += [losing(chosen) for _ in range(figures.losses)]
    found += [{"kind": "restart", "leases": away(n, chosen)} for n in range(figures.restarts)]
    found += [{"kind": "crash", "leases": chosen.uniform(0, 0.5)} for _ in range(figures.crashes)]
    for one in found:
        one["after"] = int(figures.runs * chosen.uniform(0.05, 0.95))
        one["node"], one["pick"] = chosen.randrange(figures.nodes), chosen.random()
    return sorted(found, key=lambda one: float(one["after"]))


def killing(number: int, chosen: Random) -> dict[str, Any]:
    """Half of the kills are aimed: at a process right before or after a write."""
    if number % 2:
        verb, moment = chosen.choice(VERBS), chosen.choice(MOMENTS)
        return {"kind": "aim", "shot": f"{verb}.{moment}"}
    kind = chosen.choices(["child", "helper", "node", "sentinel", "web"], [50, 14, 20, 8, 8])[0]
    return {"kind": kind}


def losing(chosen: Random) -> dict[str, Any]:
    how = chosen.choice(["mute", "mute", "delay", "swallow", "swallow", "cut"])
    return {"kind": "lose", "how": how, "way": chosen.choice(["up", "down"]),
            "leases": chosen.uniform(0.3, 2.5)}  # fmt: skip


def away(number: int, chosen: Random) -> float:
    """Leases that the server is away; the first time longer than one."""
    return chosen.uniform(1.2, 1.8) if number == 0 else chosen.uniform(0.0, 0.6)
