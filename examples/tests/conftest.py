"""Lets the tests import the sample tasks by the names their neighbours do."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.append(str(HERE.with_name("tasks")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """They are the same on every database."""
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.once)
