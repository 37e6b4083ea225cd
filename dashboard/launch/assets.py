"""Static files are collected (hashed, compressed) when they changed, and only then."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import ManifestFilesMixin
from django.core.management import call_command
from django.utils.module_loading import import_string

_STAMP = ".collected"


def collect_if_stale() -> bool:
    """Collect if the project serves collected files and their sources changed."""
    root: Path | str | None = settings.STATIC_ROOT
    if not root or not _hashed():
        return False
    stamp, now = Path(root, _STAMP), _fingerprint()
    if stamp.exists() and stamp.read_text() == now:
        return False
    call_command("collectstatic", interactive=False, verbosity=0, clear=True)
    stamp.write_text(now)
    return True


def _hashed() -> bool:
    backend = settings.STORAGES["staticfiles"]["BACKEND"]
    return issubclass(import_string(backend), ManifestFilesMixin)


def _fingerprint() -> str:
    lines = sorted(_sources())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _sources() -> Iterator[str]:
    for finder in get_finders():
        for path, storage in finder.list([]):
            stat = Path(storage.path(path)).stat()
            yield f"{path} {stat.st_size} {stat.st_mtime_ns}"
