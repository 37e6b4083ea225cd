"""Environment variables as typed values. A bad one is an ImproperlyConfigured that names it."""

import os
import re
import tempfile
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

KINDS = ("dev", "staging", "prod")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
FORMATS = ("text", "json")
_YES_NO = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def text(name: str, default: str = "") -> str:
    """The variable, stripped; an empty one counts as not set."""
    return os.environ.get(name, "").strip() or default


def integer(name: str, default: int, low: int, high: int) -> int:
    """A whole number from `low` to `high`."""
    value = text(name, str(default))
    if not re.fullmatch(r"[0-9]{1,9}", value) or not low <= int(value) <= high:
        raise ImproperlyConfigured(
            f"{name} must be a whole number from {low} to {high}, but it is “{value}”."
        )
    return int(value)


def yes(name: str, *, default: bool) -> bool:
    """A switch: 1/true/yes or 0/false/no."""
    value = text(name).lower()
    if not value:
        return default
    if value not in _YES_NO:
        raise ImproperlyConfigured(f"{name} must be 1 or 0, but it is “{value}”.")
    return _YES_NO[value]


def words(name: str) -> list[str]:
    """A comma-separated list."""
    return [word for part in text(name).split(",") if (word := part.strip())]


def parts(name: str) -> list[str]:
    """A list as of directories, separated as in PATH."""
    return [part for part in text(name).split(os.pathsep) if part]


def kind() -> str:
    """What this deployment is for; `prod` turns on everything a public server needs."""
    value = text("TRACKSIDE_ENVIRONMENT_KIND", "dev")
    if value not in KINDS:
        raise ImproperlyConfigured(
            f"TRACKSIDE_ENVIRONMENT_KIND must be one of {', '.join(KINDS)}, but it is “{value}”."
        )
    return value


def log_level() -> str:
    """From which level on lines are written to the terminal."""
    value = text("LOG_LEVEL", "WARNING").upper()
    if value not in LEVELS:
        raise ImproperlyConfigured(
            f"LOG_LEVEL must be one of {', '.join(LEVELS)}, but it is “{value}”."
        )
    return value


def log_format() -> str:
    """How those lines look."""
    value = text("LOG_FORMAT", "text").lower()
    if value not in FORMATS:
        raise ImproperlyConfigured(
            f"LOG_FORMAT must be one of {', '.join(FORMATS)}, but it is “{value}”."
        )
    return value


def task_dirs(home: Path) -> list[str]:
    """Directories with task files: those named, else ./tasks, else the samples of a checkout."""
    named = parts("TRACKSIDE_TASK_DIRS")
    if named:
        return [str(Path(part).expanduser().absolute()) for part in named]
    tasks, samples = home / "tasks", home / "examples" / "tasks"
    return [str(samples if samples.is_dir() and not tasks.is_dir() else tasks)]


def writable(directory: Path) -> Path:
    """The directory, made if it is missing; refused if nothing can be written into it."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
    except OSError as error:
        raise ImproperlyConfigured(
            f"Trackside cannot write to the directory {directory} ({error.strerror}). "
            "Make it writable or name another one in TRACKSIDE_DATA_DIR."
        ) from error
    return directory
