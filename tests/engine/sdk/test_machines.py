import pytest

from engine.sdk.machines import memory_of, preset_name
from runs.errors import InvalidOption


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("micro", "micro"),
        ({"preset": "large-1x"}, "large-1x"),
        ({"cpu": 0.25, "memory": 0.25}, "micro"),
        ({"cpu": 1}, "small-2x"),
        ({"cpu": 1, "memory": 1.5}, "medium-1x"),
        ({"cpu": 8, "memory": 16}, "large-2x"),
    ],
)
def test_finds_the_preset(asked, name):
    assert preset_name(asked) == name


@pytest.mark.parametrize("asked", ["huge", {"cpu": 9}, {"cpu": "1"}, {"preset": 1}, None])
def test_refuses_others(asked):
    with pytest.raises(InvalidOption):
        preset_name(asked)


def test_memory_in_bytes():
    assert memory_of("small-1x") == 536_870_912
