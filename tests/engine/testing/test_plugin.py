"""The plugin as authors get it, in a pytest of its own."""

import os
import subprocess
import sys
import tomllib
import unittest
from importlib import import_module
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from engine import step, task, wait
from engine.testing import Trackside, database

ROOT = Path(__file__).resolve().parents[3]
TASKS = """
from engine import hooks, logger, step, task, wait

@task
def hello(payload):
    name = step("name", lambda: payload["name"])
    wait("1d")
    logger.info("greeting", name=name)
    return f"Hello, {name}!"
"""
INIT = """
from engine import hooks

@hooks.on_success
def told(output):
    print(f"init.py saw {output}")
"""
TESTS = """
import pytest
from engine import task
from engine.testing import RecordedRun, Trackside

from tasks.hello import hello


@pytest.mark.parametrize("name", ["Ada", "Ben"])
def test_hello(trackside: Trackside, name):
    run: RecordedRun = trackside.run(hello, {"name": name})
    assert run.output == f"Hello, {name}!"
    assert [step.output for step in run.steps] == [name]
    assert f"init.py saw Hello, {name}!" in run.messages
    assert len(trackside.runs()) == 1


def test_by_id(trackside):
    assert trackside.run("hello", {"name": "Eve"}).ok


def test_fails(trackside):
    assert trackside.run(hello, {}).ok
"""
#: Neither Django's settings nor pytest-django: as for somebody who only has task files.
BARE = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def run_pytest(directory, *words, **environment):
    (directory / "tasks").mkdir()
    (directory / "tasks" / "hello.py").write_text(TASKS)
    (directory / "tasks" / "init.py").write_text(INIT)
    (directory / "pytest.ini").write_text("[pytest]\npythonpath = .\nfilterwarnings = error\n")
    (directory / "test_hello.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "engine.pytest_plugin", *words]
    return subprocess.run(
        command, cwd=directory, env=BARE | environment, capture_output=True, text=True, timeout=100
    )


@pytest.mark.once
def test_it_needs_neither_settings_nor_a_server(tmp_path):
    done = run_pytest(tmp_path, "-p", "pytest_django")
    assert "3 passed" in done.stdout, done.stdout + done.stderr
    assert "1 failed" in done.stdout
    shown = done.stdout.partition("Trackside runs")[2]
    assert "<run of hello, attempt 3: FAILED: KeyError: 'name'>" in shown
    assert 'payload["name"]' in shown


def test_it_is_found_by_its_entry_point():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (place,) = project["entry-points"]["pytest11"].values()
    assert import_module(place).trackside
    needed = " ".join(project["dependencies"])
    assert "pytest" not in needed


@pytest.mark.django_db
def test_without_pytest_it_is_a_context_manager():
    class OrderTests(unittest.TestCase):
        def setUp(self):
            self.trackside = self.enterContext(Trackside())

        def test_it(self):
            @task
            def pay():
                wait("1h")
                return step("pay", lambda: "paid")

            assert self.trackside.run(pay).output == "paid"

    outcome = unittest.TestResult()
    OrderTests("test_it").run(outcome)
    assert outcome.errors + outcome.failures == []


def test_a_project_without_the_apps_is_told(settings):
    ours = {"runs", "dashboard"}
    settings.INSTALLED_APPS = [name for name in settings.INSTALLED_APPS if name not in ours]
    with pytest.raises(ImproperlyConfigured, match="need runs in INSTALLED_APPS"):
        database.ready()
