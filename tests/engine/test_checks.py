"""Wrong settings end a command before it begins."""

import pytest
from django.core.management import CommandError, call_command


@pytest.mark.parametrize(
    ("name", "wrong", "says"),
    [
        ("RETRY", {"tries": 3}, "retry knows max_attempts"),
        ("RETRY", 3, "a dict"),
        ("MACHINE", "huge", "machine is one of micro"),
        ("MAX_DURATION", -1, "must be seconds"),
        ("TTL", "soon", "must be seconds"),
        ("MACHINES", {"huge": {"memory": 64}}, "there is no 'huge'"),
        ("MACHINES", {"micro": {"memory": 0}}, "numbers above 0; got memory: 0"),
        ("MACHINES", {"micro": {"disk": 1}}, "got disk: 1"),
        ("MACHINES", {"micro": 1}, "a dict as"),
        ("LOG_LEVEL", "loud", "one of debug, info, warn, error, none"),
    ],
)
def test_names_the_setting_and_what_is_allowed(settings, name, wrong, says):
    settings.TRACKSIDE = {name: wrong}
    with pytest.raises(CommandError) as refused:
        call_command("check")
    assert f'TRACKSIDE["{name}"]' in str(refused.value)
    assert says in str(refused.value)


def test_right_ones_pass(settings, capsys):
    settings.TRACKSIDE = {"RETRY": {"max_attempts": 5}, "MAX_DURATION": "1h", "TTL": 60}
    call_command("check")
