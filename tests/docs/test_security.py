"""docs/security.md names tests that exist, and gives a test or a reason in every row."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "security.md"
NAMED = re.compile(r"`([\w/]+\.py)(?:::(\w+))?`")
#: Rows with a reason in place of a test.
REASONS = {"Second factor", "Other tenants", "Workers"}


def rows():
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 3 and cells[2] != "tests":
            yield cells


@cache
def named_in(path):
    return {
        node.name
        for node in ast.walk(ast.parse((TESTS / path).read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_test_that_is_named_exists():
    named = [found for _, _, cell in rows() for found in NAMED.findall(cell)]
    assert len(named) > 120
    assert not [path for path, _ in named if not (TESTS / path).exists()]
    assert not [(path, test) for path, test in named if test and test not in named_in(path)]


def test_every_row_has_a_test_or_a_reason():
    assert len(list(rows())) > 50
    assert {row for row, _, cell in rows() if not NAMED.search(cell)} == REASONS
    assert all(reason for _, reason, _ in rows())
