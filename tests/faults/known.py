"""What is known of scenes: the points of every verb, and what comes of one verb and of two in a row.

`known.txt` is written by `FAULTS=write python -m pytest tests/faults/test_alone.py`, for each of the
two databases; a change in it is a change of what Trackside does, and to be read as one. Whatever is
not in it fails: a verb, a pair of verbs, or a write that was not there before.
"""

import os
import zlib
from functools import cache
from pathlib import Path

from django.db import connection

FILE = Path(__file__).with_name("known.txt")
HELP = "if this is meant, FAULTS=write python -m pytest --database=... tests/faults, and read the difference"
#: "write" adds what is not known yet, "anew" looks at everything again.
WRITES = os.environ.get("FAULTS") in {"write", "anew"}
#: Every pair at every point; else each test takes a part, always the same.
ALL = WRITES or os.environ.get("FAULTS") == "all"


@cache
def lines() -> dict[str, str]:
    if not FILE.exists():
        return {}
    pairs = (line.partition(" = ") for line in FILE.read_text().splitlines())
    return {name: text for name, _, text in pairs}


def points(scene: str, verb: str) -> list[str]:
    return lines().get(f"points {connection.vendor} {scene} {verb}", "").split()


def check(name: str, text: str) -> None:
    """It is what is known, or becomes so."""
    if WRITES:
        lines()[name] = text
        return
    assert lines().get(name) == text, f"{name} = {text}: {HELP}"


def check_between(name: str, text: str) -> bool:
    """Whether this may come of two verbs of which one is made of several transactions."""
    name = f"between {name}"
    those = lines().get(name, "").split(" | ")
    if WRITES and text not in those:
        lines()[name] = " | ".join(sorted([*filter(None, those), text]))
    return WRITES or text in those


def save() -> None:
    if WRITES:
        FILE.write_text("".join(f"{name} = {lines()[name]}\n" for name in sorted(lines())))


def is_known(name: str) -> bool:
    """Whether it needs no look: only in a run that adds what is missing."""
    return os.environ.get("FAULTS") == "write" and name in lines()


def part(name: str, of: int) -> bool:
    """Whether this one is among those that are always looked at."""
    return ALL or zlib.crc32(name.encode()) % of == 0


def one_of(name: str, count: int) -> list[int]:
    """Points to look at, of so many: all, or always the same one."""
    if ALL or not count:
        return list(range(1, count + 1))
    return [zlib.crc32(name.encode()) % count + 1]
