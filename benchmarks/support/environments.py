"""A virtual environment for each peer, made once from its pinned requirements."""

import hashlib
import os
import sys
import venv
from pathlib import Path

from benchmarks.support.processes import ROOT, run
from benchmarks.support.report import progress

PEERS = ROOT / "benchmarks" / "peers"


def interpreter(peer: str) -> str:
    """The peer's own Python, its environment built if it is missing or the pins have changed."""
    requirements = PEERS / f"requirements-{peer}.txt"
    pins = hashlib.sha256(requirements.read_bytes()).hexdigest()
    directory = cache() / peer
    stamp, python = directory / "pins", directory / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != pins:
        progress(f"installing {peer} into {directory}")
        venv.create(directory, clear=True, with_pip=True)
        run([str(python), "-m", "pip", "install", "--quiet", "-r", str(requirements)], {})
        stamp.write_text(pins)
    return str(python)


def cache() -> Path:
    """Where the environments live, outside the checkout so that every checkout shares them."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return Path(base) / "trackside-bench" / version
