import os
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from dashboard.conf import environment


@pytest.mark.parametrize("value", ["0", "65536", "x", "-1", "1.5", "٣"])
def test_refuses_a_bad_number(monkeypatch, value):
    monkeypatch.setenv("PORT", value)
    with pytest.raises(ImproperlyConfigured, match="PORT must be a whole number from 1 to 65535"):
        environment.integer("PORT", 8765, 1, 65535)


def test_an_empty_variable_is_not_set(monkeypatch):
    monkeypatch.setenv("PORT", " ")
    assert environment.integer("PORT", 8765, 1, 65535) == 8765


def test_refuses_an_unclear_switch(monkeypatch):
    monkeypatch.setenv("HTTPS", "perhaps")
    with pytest.raises(ImproperlyConfigured, match="HTTPS must be 1 or 0"):
        environment.yes("HTTPS", default=True)


def test_refuses_an_unknown_kind(monkeypatch):
    monkeypatch.setenv("TRACKSIDE_ENVIRONMENT_KIND", "production")
    with pytest.raises(ImproperlyConfigured, match="dev, staging, prod"):
        environment.kind()


def test_task_dirs_are_those_named(monkeypatch):
    monkeypatch.setenv("TRACKSIDE_TASK_DIRS", os.pathsep.join(["/a", "/b"]))
    assert environment.task_dirs(Path("/home")) == ["/a", "/b"]


def test_task_dirs_of_a_fresh_checkout_are_the_samples(tmp_path, monkeypatch):
    monkeypatch.delenv("TRACKSIDE_TASK_DIRS", raising=False)
    samples = tmp_path / "examples" / "tasks"
    samples.mkdir(parents=True)
    assert environment.task_dirs(tmp_path) == [str(samples)]
    (tmp_path / "tasks").mkdir()
    assert environment.task_dirs(tmp_path) == [str(tmp_path / "tasks")]


def test_refuses_a_directory_nothing_can_be_written_into(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ImproperlyConfigured, match="cannot write to the directory"):
        environment.writable(tmp_path / "file" / "var")


def test_a_level_of_the_terminal_that_is_none_is_refused(monkeypatch):
    monkeypatch.setenv("LOG_LEVEL", "info")
    assert environment.log_level() == "INFO"
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(ImproperlyConfigured, match=r"one of DEBUG, INFO.*“LOUD”"):
        environment.log_level()


def test_the_terminal_shows_what_it_is_told_to_whatever_runs_log(settings):
    logging = settings.LOGGING
    assert logging["handlers"]["console"]["level"] == logging["root"]["level"]


def test_patterns_of_files_to_pass_over(monkeypatch):
    monkeypatch.setenv("TRACKSIDE_TASK_IGNORE", os.pathsep.join(["scripts/*", "*_old.py"]))
    assert environment.parts("TRACKSIDE_TASK_IGNORE") == ["scripts/*", "*_old.py"]
