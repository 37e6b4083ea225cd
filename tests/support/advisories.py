"""Whether anything in the lock files has a known vulnerability, and what is in them.

    python -m tests.support.advisories            # fails for a known vulnerability
    python -m tests.support.advisories --bill     # a bill of materials, CycloneDX, of what runs

`uv audit` asks the advisory service; it reads lock files of its own kind alone, so the pins are
written down as one. Nothing is resolved or downloaded, and no package index is asked.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
#: Everything that is ever installed, and what a deployment has of it.
ALL, RUNTIME = ROOT / "requirements-dev.lock", ROOT / "requirements-otel.lock"
PIN = re.compile(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==([^\s\\;]+)", re.M)
#: What uv answers with where it could not ask.
NOT_ASKED = 2
#: Advisories that do not concern us: id -> why.
IGNORED: dict[str, str] = {}
UNREACHABLE = "The advisory service was not reached, so nothing is known of {count} packages: {why}"


class Pin(NamedTuple):
    name: str
    version: str


class Found(NamedTuple):
    """What the service said; `problem` where it said nothing."""

    lines: list[str]
    problem: str = ""


def pins(lock: Path) -> list[Pin]:
    """What a lock file names, each version of it."""
    return [Pin(*found) for found in PIN.findall(lock.read_text())]


def audited(named: Sequence[Pin], service: str = "") -> Found:
    """A line for each known vulnerability of these."""
    asked = ["--output-format", "json", *(["--service-url", service] if service else [])]
    for each in IGNORED:
        asked += ["--ignore", each]
    done = _uv("audit", named, asked)
    if done.returncode == NOT_ASKED or not done.stdout.strip():
        lines = [line.strip() for line in done.stderr.splitlines() if "warning:" not in line]
        return Found([], " ".join(lines)[:300] or f"exit code {done.returncode}")
    answer = json.loads(done.stdout)
    problems = [_line(one) for one in answer["vulnerabilities"]]
    return Found(problems + [json.dumps(one) for one in answer["adverse_statuses"]])


def bill(named: Sequence[Pin]) -> str:
    """A bill of materials."""
    asked = ["--format", "cyclonedx1.5", "--no-emit-project", "--no-header"]
    done = _uv("export", named, asked)
    done.check_returncode()
    return done.stdout


def _line(one: dict) -> str:
    found, fixed = one["dependency"], ", ".join(one["fix_versions"]) or "no version yet"
    said = (one["summary"] or "").strip()
    return f"{found['name']} {found['version']}: {one['display_id']} {said} (mended in {fixed})"


def _uv(verb: str, named: Sequence[Pin], asked: list[str]) -> "subprocess.CompletedProcess[str]":
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert uv, "uv is missing: make lint installs it"
    environment = os.environ | {"UV_HTTP_TIMEOUT": "10", "UV_HTTP_RETRIES": "1"}
    with tempfile.TemporaryDirectory() as directory:
        _write(Path(directory), named)
        return subprocess.run(
            [uv, verb, "--frozen", "--quiet", "--no-config", *asked],
            cwd=directory, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip


def _write(directory: Path, named: Sequence[Pin]) -> None:
    """A project of these very versions, and its lock. A directory as the source means no index."""
    listed = json.dumps([f"{name}=={version}" for name, version in named])
    (directory / "pyproject.toml").write_text(
        f'[project]\nname = "audited"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = {listed}\n'
    )
    source = 'source = { registry = "wheels" }'
    parts = ['version = 1\nrequires-python = ">=3.11"']
    parts += [
        f'[[package]]\nname = "{one.name}"\nversion = "{one.version}"\n{source}' for one in named
    ]
    needed = [
        f'    {{ name = "{one.name}", version = "{one.version}", {source} }},' for one in named
    ]
    whole = '[[package]]\nname = "audited"\nversion = "0"\nsource = { virtual = "." }'
    parts.append("\n".join([whole, "dependencies = [", *needed, "]"]))
    (directory / "uv.lock").write_text("\n\n".join(parts) + "\n")


def main(arguments: Sequence[str]) -> int:
    if "--bill" in arguments:
        print(bill(pins(RUNTIME)))
        return 0
    named = pins(ALL)
    found = audited(named, next((one for one in arguments if one.startswith("http")), ""))
    if found.problem:
        print(UNREACHABLE.format(count=len(named), why=found.problem))
        return 0
    for line in found.lines:
        print(line)
    print(f"{len(named)} packages have {len(found.lines) or 'no'} known vulnerabilities.")
    return 1 if found.lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
