"""Which version of the task code this process runs (DEC-31)."""

import shutil
import subprocess
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from django.apps import apps

from runs import conf

SHORT = 12
GIT_SECONDS = 5


def current(directories: Iterable[Path]) -> str:
    """The setting VERSION, else the git commit if nothing is changed, else a hash of the files."""
    return given() or committed() or content_hash(directories)


def given() -> str:
    """The setting, as far as both databases can store it."""
    text = str(conf.get("VERSION")).encode(errors="replace").decode()
    return "".join(letter for letter in text if letter.isprintable()).strip()[:64]


def committed() -> str:
    """The commit of the working directory, or empty if there is none or Python files have changed."""
    commit = git("rev-parse", "HEAD")
    changes = git("status", "--porcelain", "--", ":(top)*.py")
    return commit.strip()[:SHORT] if commit and changes == "" else ""


def git(*words: str) -> str | None:
    """The answer of git, or None where it has none."""
    command = shutil.which("git")
    if command is None:
        return None
    try:
        done = subprocess.run(
            [command, *words], capture_output=True, text=True, timeout=GIT_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout if done.returncode == 0 else None


def content_hash(directories: Iterable[Path]) -> str:
    """A hash of every Python file of the task directories and every app's `tasks.py`."""
    digest = sha256()
    for path in files(directories):
        text = path.read_bytes()
        digest.update(f"{path.name} {len(text)}\n".encode() + text)
    return digest.hexdigest()[:SHORT]


def files(directories: Iterable[Path]) -> list[Path]:
    found = {path for directory in directories for path in directory.rglob("*.py")}
    found |= {Path(app.path) / "tasks.py" for app in apps.get_app_configs()}
    return sorted(path for path in found if path.is_file())
