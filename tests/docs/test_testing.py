"""The tests that docs/testing.md shows are tests."""

from types import FunctionType, ModuleType

import pytest

from engine.registry import registry
from tests.docs import pages

PAGE = "testing.md"
pytestmark = pytest.mark.once


@pytest.fixture
def page(trackside) -> ModuleType:
    return pages.executed(PAGE)


def names() -> list[str]:
    words = (line.split() for _, code in pages.blocks(PAGE) for line in code.splitlines())
    return [word[1].partition("(")[0] for word in words if word[:1] == ["def"]]


@pytest.mark.parametrize("name", [name for name in names() if name.startswith("test_")])
def test_the_example_is_green(page, trackside, name):
    example = vars(page)[name]
    assert isinstance(example, FunctionType)
    example(trackside)


def test_its_tasks_are_gone_afterwards():
    assert registry.get("onboard") is None
