"""Wrong settings end a command before it begins."""

import pytest
from django.core.management import CommandError, call_command

from engine import checks, task
from runs import conf


@pytest.mark.parametrize(
    ("name", "wrong", "says"),
    [
        ("RETRY", {"tries": 3}, "retry has no option “tries”"),
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


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"RETRYS": {}}, "has no option “RETRYS”. Do you mean “RETRY”?"),
        ({"POLL_SECONDS": "soon"}, 'TRACKSIDE["POLL_SECONDS"], or TRACKSIDE_POLL_SECONDS, is a number, more than 0; got \'soon\''),
        ({"POLL_SECONDS": 0}, "more than 0; got 0"),
        ({"DRAIN_SECONDS": -1}, "a number, at least 0; got -1"),
        ({"DRAIN_SECONDS": float("nan")}, "got nan"),
        ({"DRAIN_SECONDS": 10**400}, "at least 0; got 1000"),
        ({"WORKERS": 1.5}, "a whole number, at least 0; got 1.5"),
        ({"WORKERS": True}, "got True"),
        ({"STRICT_VERSIONS": "no"}, "True or False"),
        ({"TASK_DIRS": "tasks"}, "a list of texts; got 'tasks'"),
        ({"VERSION": 5}, "is text; got 5"),
        ({"ENVIRONMENT": {"name": "Here", "kind": "test"}}, "one of dev, staging, prod"),
        ([], "is a dict; it is []"),
    ],
)  # fmt: skip
def test_every_setting_has_a_value_it_may_have(settings, given, says):
    settings.TRACKSIDE = given
    assert any(says in error.msg for error in checks.settings_are_right())


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [("POLL_SECONDS", "abc", "'abc'"), ("RECYCLE_RUNS", "1.5", "'1.5'"), ("STRICT_VERSIONS", "maybe", "'maybe'")],
)  # fmt: skip
def test_so_has_the_environment(monkeypatch, name, text, says):
    monkeypatch.setenv(f"TRACKSIDE_{name}", text)
    conf.forget()
    (error,) = checks.settings_are_right()
    assert f"TRACKSIDE_{name}" in error.msg
    assert says in error.msg
    monkeypatch.undo()
    conf.forget()


def test_durations_may_be_written_as_anywhere(monkeypatch):
    monkeypatch.setenv("TRACKSIDE_TTL", "1h")
    monkeypatch.setenv("TRACKSIDE_STRICT_VERSIONS", "no")
    conf.forget()
    assert checks.settings_are_right() == checks.defaults_are_right() == []
    assert task(lambda: None).ttl == 3600
    monkeypatch.undo()
    conf.forget()


def test_right_ones_pass(settings, capsys):
    settings.TRACKSIDE = {"RETRY": {"max_attempts": 5}, "MAX_DURATION": "1h", "TTL": 60}
    call_command("check")


def test_a_storage_that_is_not_there_is_told(settings):
    assert checks.packets_have_a_storage() == []
    settings.TRACKSIDE = {"PACKET_STORAGE": "bucket"}
    assert "'bucket'" in checks.packets_have_a_storage()[0].msg
    settings.STORAGES = {**settings.STORAGES, "bucket": settings.STORAGES["default"]}
    assert checks.packets_have_a_storage() == []


def test_warns_where_nobody_can_wake_a_cluster(settings, monkeypatch):
    monkeypatch.setattr(checks, "is_pooled", lambda _: True)
    assert [found.id for found in checks.clusters_can_be_woken()] == ["trackside.W001"]
    settings.TRACKSIDE = {"LISTEN_URL": "postgres://u@direct/n"}
    assert checks.clusters_can_be_woken() == []
    settings.TRACKSIDE = {"LISTEN_URL": "postgres://u@direct:port:5/n?x"}
    assert [found.id for found in checks.clusters_can_be_woken()] == ["trackside.E005"]


def test_a_direct_connection_needs_no_other_address():
    assert checks.clusters_can_be_woken() == []


@pytest.mark.parametrize(("token", "count"), [("", 0), ("short", 1), ("x" * 16, 0)])
def test_the_token_of_metrics_is_long(settings, token, count):
    settings.TRACKSIDE = {"METRICS_TOKEN": token}
    assert len(checks.the_token_of_metrics_is_long()) == count
