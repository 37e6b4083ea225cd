"""What a campaign came to, in lines."""

from collections import Counter, defaultdict

from tests.chaos import checks
from tests.chaos.checks.times import recoveries
from tests.chaos.evidence import Evidence
from tests.chaos.plan import Plan

#: Sentences that are shown of each invariant.
SHOWN = 8


def text(plan: Plan, found: Evidence) -> str:
    return "\n".join([*heading(plan, found), *struck(found), *times(found), *verdict(found)])


def heading(plan: Plan, found: Evidence) -> list[str]:
    ended = Counter(run["status"] for run in found.runs.values())
    begin = next((line["at"] for line in found.log if line["what"] == "begin"), 0.0)
    last = max((line["at"] for line in found.log), default=0.0)
    return [
        f"Seed {plan.seed}: {len(found.accepted)} runs accepted, {len(found.runs)} made, "
        f"{len(found.events)} events, {len(found.notes)} notes, {last - begin:.0f} s.",
        f"  At most {found.crowd:.1f} processes wanted each core.",
        "  " + ", ".join(f"{count} {status}" for status, count in ended.most_common()),
    ]


def kills(found: Evidence) -> int:
    """Processes and clusters that were killed by us."""
    aimed = sum(note["what"] == "aimed" for note in found.notes)
    return aimed + sum(line["what"] == "kill" for line in found.log)


def struck(found: Evidence) -> list[str]:
    kinds: Counter[str] = Counter()
    for line in found.log:
        if line["what"] in ("kill", "lose", "outage"):
            kinds[f"{line['what']} {line.get('kind') or line.get('how')}"] += 1
        elif line["what"] in ("stop", "terminate"):
            kinds[line["what"]] += 1
    shots = Counter(note["shot"] for note in found.notes if note["what"] == "aimed")
    suicides = sum(note["what"] == "suicide" for note in found.notes)
    return [
        f"  {kills(found)} kills: " + ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())),
        f"  {sum(shots.values())} of them aimed: "
        + ", ".join(f"{n} {shot}" for shot, n in sorted(shots.items())),
        f"  {suicides} bodies killed themselves; {zombies(found)} were entered late by clusters that had been away.",
    ]


def zombies(found: Evidence) -> int:
    """Bodies that began when their run had completed elsewhere."""
    done = {v["run_id"]: v["at"] for v in found.events if v["kind"] == "completed"}
    return sum(
        note["what"] == "begin" and note["at"] > done.get(note["run"], note["at"]) + 0.005
        for note in found.notes
    )


def times(found: Evidence) -> list[str]:
    """The slowest of each, against its bound."""
    longest = defaultdict(list)
    for one in recoveries(found):
        longest[one.fault].append(one)
    lines = []
    for fault, ones in sorted(longest.items()):
        worst = max(ones, key=lambda one: one.seconds)
        middle = sorted(one.seconds for one in ones)[len(ones) // 2]
        lines.append(
            f"  {fault}: {len(ones)} times, median {middle:.2f} s, worst {worst.seconds:.2f} s of {worst.bound:.2f} s"
        )
    return lines


def verdict(found: Evidence) -> list[str]:
    broken = checks.broken(found)
    if not broken:
        return [f"  All {len(checks.ALL)} invariants hold."]
    lines = []
    for name, sentences in broken.items():
        lines.append(f"  BROKEN {name}: {len(sentences)}")
        lines += [f"    {sentence}" for sentence in sentences[:SHOWN]]
    return lines


def broken(found: Evidence) -> bool:
    return bool(checks.broken(found))
