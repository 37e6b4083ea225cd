import pytest

from engine import checks
from engine.sdk.machines import PRESETS, memory_of, preset_name
from runs import conf
from runs.errors import InvalidOption


@pytest.fixture(autouse=True)
def _read_anew():
    yield
    conf.forget()


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


def test_presets_may_be_redefined(settings, monkeypatch):
    settings.TRACKSIDE = {"MACHINES": {"small-1x": {"cpu": 1, "memory": 3}, "micro": {"memory": 1}}}
    assert (PRESETS["small-1x"].cpu, PRESETS["small-1x"].memory) == (1, 3)
    assert (PRESETS["micro"].cpu, memory_of("micro")) == (0.25, 1024**3)
    assert PRESETS["large-2x"].memory == 16
    assert preset_name({"cpu": 1, "memory": 3}) == "small-1x"
    monkeypatch.setenv("TRACKSIDE_MACHINES", '{"micro": {"memory": 2}}')
    conf.forget()
    assert PRESETS["micro"].memory == 2


def test_the_environment_says_what_is_wrong(monkeypatch):
    monkeypatch.setenv("TRACKSIDE_MACHINES", "micro=2")
    conf.forget()
    (told,) = checks.settings_are_right()
    assert (
        "TRACKSIDE_MACHINES, is a dict (a JSON object in the environment); got 'micro=2'"
        in told.msg
    )
