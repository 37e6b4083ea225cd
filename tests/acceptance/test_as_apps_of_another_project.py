"""docs/install.md, step by step: what it says is what is done here."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from runs.models import Run
from runs.states import RunStatus
from tests.support.instance import QUICK, ROOT, Instance, started_anew
from tests.support.site import pointed_at
from tests.support.upping import Up
from tests.support.waiting import eventually

pytestmark = pytest.mark.acceptance

TASK = """
from engine import task


@task(id="greet")
def greet(payload):
    return f"Hello, {payload['name']}!"
"""
TRIGGER = """
from engine import tasks
print(tasks.trigger("greet", {"name": "Ada"}).id)
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory) -> Path:
    """A directory with Trackside installed from its wheel."""
    target = tmp_path_factory.mktemp("packages")
    words = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target", str(target)]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install"]
    subprocess.run([*pip, *words, str(ROOT)], check=True)
    return target


@pytest.fixture(scope="module")
def site(packages, tmp_path_factory, django_db_setup, django_db_blocker) -> Iterator[Instance]:
    """A project made by startproject that follows the guide."""
    home = tmp_path_factory.mktemp("mysite")
    start(["-m", "django", "startproject", "mysite", str(home)], home)
    start(["manage.py", "startapp", "shop"], home)
    settings = home / "mysite" / "settings.py"
    settings.write_text(f'{settings.read_text()}\nINSTALLED_APPS += ["shop"]\n')
    follow_the_guide(settings, home / "mysite" / "urls.py")
    (home / "shop" / "tasks.py").write_text(TASK)
    with django_db_blocker.unblock(), started_anew(home) as made:
        made.environment = environment(made, packages)
        made.script = home / "manage.py"
        done = made.manage("migrate", "--verbosity=0")
        assert done.returncode == 0, done.stderr
        yield made


def start(words: list[str], home: Path) -> None:
    """Run a command of plain Django."""
    plain = {"PATH": os.environ["PATH"]}
    subprocess.run([sys.executable, *words], cwd=home, env=plain, check=True)


def environment(instance: Instance, packages: Path) -> dict[str, str]:
    """Nothing of this checkout: only the installed package."""
    kept = {"PATH", "HOME", "LANG", "DATABASE_URL"}
    return {
        **{name: value for name, value in instance.environment.items() if name in kept},
        **QUICK,
        "PYTHONPATH": str(packages),
        "DJANGO_SETTINGS_MODULE": "mysite.settings",
    }


def follow_the_guide(settings: Path, urls: Path) -> None:
    """Apply the three blocks of docs/install.md that belong into files."""
    apps, database, routes = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "install.md").read_text(), re.S
    )[:3]
    settings.write_text(f"{settings.read_text()}\n{apps}\n{database}\n")
    urls.write_text(f"{urls.read_text()}\n{routes}\n")


def shell(site: Instance, code: str) -> str:
    done = site.manage("shell", "--command", code)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


@pytest.mark.once
def test_the_installed_package_is_what_runs(site, packages):
    code = "import dashboard, runs, engine; print(dashboard.__file__)"
    assert shell(site, code).startswith(str(packages))


@pytest.mark.once
def test_passes_djangos_checks(site):
    done = site.manage("check")
    assert "no issues" in done.stdout, done.stderr
    assert not site.manage("makemigrations", "--check").returncode


@pytest.mark.once
def test_ships_templates_statements_and_static_files(packages):
    assert (packages / "dashboard/templates/registration/first_login.html").exists()
    assert (packages / "trackside/py.typed").exists()
    assert not (packages / "engine/client").exists()
    assert list((packages / "dashboard/static").rglob("*.css"))
    assert names(packages, "runs/**/*.sql") == names(ROOT, "runs/**/*.sql") != set()


def names(directory: Path, pattern: str) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.glob(pattern)}


def test_runs_a_task_by_a_real_cluster(site):
    run = shell(site, TRIGGER)
    site.start("qcluster")
    with pointed_at(site.environment["DATABASE_URL"]):
        found = Run.objects.filter(pk=run, status=RunStatus.COMPLETED)
        eventually(found.exists, within=40)
        assert found.get().output == '"Hello, Ada!"'


@pytest.mark.once
def test_up_serves_the_pages_under_the_prefix(site):
    up = Up(site)
    assert "/trackside/first-login/" in up.link
    page = httpx.get(up.link, timeout=30)
    assert page.status_code == 200
    assert "Trackside" in page.text
    assert httpx.get(f"{up.address}/static/{a_static_file()}").status_code == 200


def a_static_file() -> str:
    static = ROOT / "static"
    return str(next(static.rglob("*.css")).relative_to(static))
