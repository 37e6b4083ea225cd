"""What docs/deployment.md gives to copy is as it says, as far as programs of this machine can tell."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from runs import conf

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "examples" / "deploy"
PAGE = (ROOT / "docs" / "deployment.md").read_text()
UNITS = ("trackside-web.service", "trackside-cluster.service")
#: Of others: Python's, and PostgreSQL's image.
FOREIGN = {"PYTHONUNBUFFERED", "POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"}
#: What a stopping cluster may need beyond its drain: see `sentinel.stop`.
LAST_STEPS = 15


def read(name):
    return (DEPLOY / name).read_text()


def known_variables():
    documented = (ROOT / "docs" / "configuration.md").read_text()
    named = set(re.findall(r"`([A-Z][A-Z_]+)`", documented))
    return named | {f"TRACKSIDE_{name}" for name in conf.DEFAULTS} | FOREIGN | {"TRACKSIDE_PROCESS"}


def test_every_variable_exists():
    compose = yaml.safe_load(read("compose.yaml"))
    used = set(re.findall(r"^(?:Environment=)?([A-Z_]{4,})=", read("trackside.env"), re.M))
    used |= {name for service in compose["services"].values() for name in service["environment"]}
    used |= set(re.findall(r"\b([A-Z_]+)=", read("Containerfile")))
    used |= {
        name for unit in UNITS for name in re.findall(r"^Environment=(\w+)=", read(unit), re.M)
    }
    assert len(used) > 15
    assert used <= known_variables()


def test_every_variable_of_the_page_exists():
    used = set(re.findall(r"^(?:export )?([A-Z_]{4,})=", PAGE, re.M))
    assert used
    assert used <= known_variables()


def test_every_file_is_on_the_page():
    assert all(f"examples/deploy/{path.name}" in PAGE for path in DEPLOY.iterdir())


@pytest.mark.parametrize("unit", UNITS)
def test_units_are_what_systemd_takes(unit, tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd")
    text, count = re.subn(r"/srv/trackside/\.venv/bin/\w+", "/bin/true", read(unit))
    assert count
    (tmp_path / unit).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / unit], check=False, capture_output=True, text=True
    )
    ours = [line for line in done.stderr.splitlines() if "trackside" in line]
    assert (done.returncode, ours) == (0, [])


def test_a_stop_gives_runs_the_time_they_are_promised():
    drain = int(re.search(r"^TRACKSIDE_DRAIN_SECONDS=(\d+)", read("trackside.env"), re.M)[1])
    stop = int(re.search(r"^TimeoutStopSec=(\d+)", read(UNITS[1]), re.M)[1])
    assert stop >= drain + LAST_STEPS
    services = yaml.safe_load(read("compose.yaml"))["services"]
    grace = int(services["cluster"]["stop_grace_period"].removesuffix("s"))
    assert grace >= conf.DEFAULTS["DRAIN_SECONDS"] + LAST_STEPS


def test_the_image_has_all_packages_and_only_what_there_is():
    copied = re.findall(r"^COPY (\S+) ", read("Containerfile"), re.M)
    assert all((ROOT / name).exists() for name in copied)
    assert {"runs", "engine", "dashboard", "templates", "static", "manage.py"} <= set(copied)
    services = yaml.safe_load(read("compose.yaml"))["services"]
    assert set(services) == {"database", "migrate", "web", "cluster"}
    build = services["web"]["build"]
    assert (DEPLOY / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).is_file()
