"""The client as what is installed: without Django, and beside Trackside."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.once
ROOT = Path(__file__).resolve().parents[3]
CLIENT = ROOT / "engine" / "client"
#: Trackside's own packages and what they stand on are as if they were not installed.
ALONE = """
import sys
class Away:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"django", "engine", "runs", "dashboard", "django_q", "psycopg"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Away())
from trackside import AsyncClient, Client
from trackside.shell import main
import trackside
print(trackside.__file__)
"""


def python(words, **environment):
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=True, env=environment
    ).stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A directory with the client alone, installed from its folder."""
    target = tmp_path_factory.mktemp("client")
    words = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target", str(target)]
    python(["-m", "pip", "--disable-pip-version-check", "install", *words, str(CLIENT)])
    return target


def test_works_without_django_and_trackside(installed, tmp_path):
    found = python(["-c", ALONE], PYTHONPATH=str(installed)).strip()
    assert found.startswith(str(installed))
    assert (installed / "trackside" / "py.typed").exists()


def test_brings_the_command(installed):
    assert "Trigger" in python(
        [str(installed / "bin" / "trackside"), "--help"], PYTHONPATH=str(installed)
    )
    assert python(
        [str(installed / "bin" / "trackside"), "--version"], PYTHONPATH=str(installed)
    ) == ("trackside, version 0.1.0\n")


def test_both_distributions_have_one_version_and_its_needs():
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    alone = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]
    assert alone["version"] == whole["version"]
    assert alone["scripts"] == whole["scripts"]
    assert set(alone["dependencies"]) <= set(whole["dependencies"])


def test_imports_nothing_but_its_own_and_its_needs():
    known = {*sys.stdlib_module_names, "trackside", "click", "httpx", "pydantic"}
    for path in (CLIENT / "trackside").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert {name.partition(".")[0] for name in names} <= known, path
