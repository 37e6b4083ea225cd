"""The long form, by one command.

python -m tests.chaos --runs 10000 --kills 200
python -m tests.chaos --database sqlite --seeds 1 2 3
python -m tests.chaos replay plan.json      the same again
python -m tests.chaos shrink plan.json      the same with as few faults as still break something
python -m tests.chaos mutants               whether the checker sees what it is there to see
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from tests.chaos import mutants
from tests.chaos.ground import Ground
from tests.chaos.plan import Figures, Plan, load, made

#: What so many kills bring with them.
BESIDE = {"stops": 0.15, "terminations": 0.5, "losses": 0.1, "restarts": 0.05, "crashes": 0.025}
#: For mutants: a small campaign in which each of them has its chance.
SMALL = Figures(
    runs=150, kills=4, stops=5, losses=2, restarts=1, webs=0, ticks=1.0, pace=3.0, longest=9.0
)
SEEDS = 5
#: A plan counts as holding when it did so often.
TRIES = 2


def main(words: list[str]) -> int:
    options = parsed(words)
    does: dict[str, Callable[[Ground, argparse.Namespace], bool]] = {
        "run": run,
        "replay": replay,
        "shrink": shrink,
        "mutants": kill_mutants,
    }
    with Ground(options.database, options.keep) as ground:
        return int(not does[options.do](ground, options))


def parsed(words: list[str]) -> argparse.Namespace:
    how = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m tests.chaos", description=__doc__, formatter_class=how
    )
    choices = ["run", "replay", "shrink", "mutants"]
    parser.add_argument("do", nargs="?", choices=choices, default="run")
    parser.add_argument("which", nargs="*", help="the file of a plan, or names of mutants")
    parser.add_argument("--database", choices=["postgresql", "sqlite"], default="postgresql")
    parser.add_argument("--seeds", nargs="+", type=int, default=[int(time.time())])
    parser.add_argument("--keep", type=Path, help="a directory for all that is written down")
    for one in fields(Figures):
        kind = float if one.type is float else int
        parser.add_argument(f"--{one.name.replace('_', '-')}", type=kind)
    return parser.parse_args(words)


def run(ground: Ground, options: argparse.Namespace) -> bool:
    """Campaigns, one after the other; whether all promises were held in all of them."""
    results = [held(ground, plan) for plan in plans(options)]
    kills = sum(number for _, number in results)
    print(f"{len(results)} campaigns, {kills} kills, {sum(not ok for ok, _ in results)} broken.")
    return all(ok for ok, _ in results)


def plans(options: argparse.Namespace) -> Iterator[Plan]:
    given = {one.name: getattr(options, one.name) for one in fields(Figures)}
    given = {name: value for name, value in given.items() if value is not None}
    kills = given.get("kills", Figures.kills)
    for name, part in BESIDE.items():
        given.setdefault(name, round(kills * part))
    for seed in options.seeds:
        yield made(seed, Figures(**given))


def held(ground: Ground, plan: Plan, name: str = "") -> tuple[bool, int]:
    """One campaign and its report; whether it held, and how much was killed."""
    found = ground.fight(plan, name)
    report = ground.report()
    print(report.text(plan, found), flush=True)
    return not report.broken(found), report.kills(found)


def replay(ground: Ground, options: argparse.Namespace) -> bool:
    return held(ground, load(Path(options.which[0])))[0]


def shrink(ground: Ground, options: argparse.Namespace) -> bool:
    """Leave out faults, half of them, then a quarter, as long as something still breaks."""
    path = Path(options.which[0])
    plan, part = load(path), 2
    while part <= 2 * max(len(plan.faults), 1):
        smaller = next((s for s in without(plan, part) if breaks(ground, s)), None)
        plan, part = (smaller, 2) if smaller else (plan, part * 2)
    plan.save(path.with_suffix(".small.json"))
    print(f"{len(plan.faults)} faults are left: {path.with_suffix('.small.json')}")
    return True


def without(plan: Plan, part: int) -> Iterator[Plan]:
    """The plan without each of so many parts of its faults."""
    size = max(len(plan.faults) // part, 1)
    for at in range(0, len(plan.faults), size):
        yield plan.with_faults(plan.faults[:at] + plan.faults[at + size :])


def breaks(ground: Ground, plan: Plan) -> bool:
    return any(not held(ground, plan, f"try-{n}")[0] for n in range(TRIES))


def kill_mutants(ground: Ground, options: argparse.Namespace) -> bool:
    """Whether each of them is seen within a few seeds, and by which invariants."""
    missed: list[Any] = []
    for name in options.which or mutants.NAMES:
        seen = next(filter(None, (sighting(ground, name, s) for s in range(1, SEEDS + 1))), "")
        print(f"{name}: {seen or 'NOT SEEN'}", flush=True)
        missed += [] if seen else [name]
    return not missed


def sighting(ground: Ground, name: str, seed: int) -> str:
    found = ground.fight(made(seed, SMALL), f"mutant-{seed}", mutant=name)
    broken = ground.report().checks.broken(found)
    first = next(iter(broken.values()), [""])[0]
    return f"seed {seed}, {', '.join(broken)}: {first}" if broken else ""
