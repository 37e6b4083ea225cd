"""docs/promises.md and docs/faults.md name tests: each of them is there, and no fault is left out."""

import ast
import re
from functools import cache

import pytest

from tests.docs import pages

TESTS = pages.DOCS.parent / "tests"
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
#: How many faults of each kind there are.
FAULTS = {"A": 15, "B": 19, "C": 20, "D": 8, "E": 9, "F": 10, "G": 8, "H": 9, "I": 10}
PAGES = ("promises.md", "faults.md")
pytestmark = pytest.mark.once


@cache
def functions(path):
    """What a file of tests defines."""
    tree = ast.parse((TESTS / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("page", PAGES)
def test_the_tests_it_names_exist(page):
    named = NAMED.findall((pages.DOCS / page).read_text())
    assert len(named) > 30
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (TESTS / path).is_file() or name not in functions(path)
    ]
    assert not missing


def rows():
    lines = (pages.DOCS / "faults.md").read_text().splitlines()
    found = (re.match(r"\| ([A-I])(\d+) \|", line) for line in lines)
    return [(match.group(0)[2:-2], match.string) for match in found if match]


def test_every_fault_has_one_row():
    wanted = [f"{kind}{number}" for kind, most in FAULTS.items() for number in range(1, most + 1)]
    assert [name for name, _ in rows()] == wanted


def test_every_row_names_a_test_or_says_why_none():
    for name, row in rows():
        assert len(row.split(" | ")) == 4, name
        shown = row.rstrip(" |").rpartition(" | ")[2]
        assert NAMED.search(shown) or shown.startswith("not "), name


def test_every_promise_has_a_test():
    text = (pages.DOCS / "promises.md").read_text()
    promises = re.split(r"^## \d+\. ", text, flags=re.MULTILINE)[1:]
    assert len(promises) == 12
    assert all(NAMED.search(promise) for promise in promises)
