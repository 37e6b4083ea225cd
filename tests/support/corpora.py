"""Documents and strings that broke other programs, where they are at hand."""

import json
import os
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
DIRECTORY = Path(os.environ.get("TRACKSIDE_CORPORA") or CHECKOUT.parent / "shared" / "corpora")
ABSENT = f"no bad-input corpora in {DIRECTORY}: set TRACKSIDE_CORPORA to their directory"

needs_corpora = pytest.mark.skipif(not DIRECTORY.is_dir(), reason=ABSENT)


def documents() -> dict[str, bytes]:
    """JSONTestSuite by file name: y_ must parse, n_ must not, i_ either."""
    folder = DIRECTORY / "json" / "test_parsing"
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.json"))}


def strings() -> list[str]:
    """The big list of naughty strings."""
    path = DIRECTORY / "strings" / "blns.json"
    return list(json.loads(path.read_text())) if path.exists() else []
