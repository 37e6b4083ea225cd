"""Documents and strings that broke other programs, where they are at hand."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")

CHECKOUT = Path(__file__).resolve().parents[2]
DIRECTORY = Path(os.environ.get("TRACKSIDE_CORPORA") or CHECKOUT.parent / "shared" / "corpora")
ABSENT = f"no bad-input corpora in {DIRECTORY}: set TRACKSIDE_CORPORA to their directory"

needs_corpora = pytest.mark.skipif(not DIRECTORY.is_dir(), reason=ABSENT)


#: Their names begin with what a parser must do: accept, refuse, or as it likes.
GROUPS = ("y", "n", "i")


def documents(group: str = "") -> dict[str, bytes]:
    """JSONTestSuite by file name: y_ must parse, n_ must not, i_ either."""
    folder = DIRECTORY / "json" / "test_parsing"
    return {path.name: path.read_bytes() for path in sorted(folder.glob(f"{group}*.json"))}


def strings() -> list[str]:
    """The big list of naughty strings."""
    path = DIRECTORY / "strings" / "blns.json"
    return list(json.loads(path.read_text())) if path.exists() else []


def every(holds: Callable[[str, T], None], cases: Mapping[str, T]) -> None:
    """Try all cases in one test; it names every case that does not hold, and why."""
    assert cases
    problems = {}
    for name, case in cases.items():
        try:
            holds(name, case)
        except Exception as problem:
            problems[name] = f"{type(problem).__name__}: {problem}"[:500]
    told = "\n".join(f"{name}: {problem}" for name, problem in problems.items())
    # as a report of a test can carry it
    assert not problems, told.encode(errors="backslashreplace").decode()
