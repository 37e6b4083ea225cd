"""Looking for changed files by their times, without a thread and without a library."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from dashboard.launch.service import Service

SUFFIXES = frozenset({".py", ".html", ".css", ".js", ".svg", ".json", ".toml"})
#: Never source, often large.
_SKIPPED = frozenset({"__pycache__", "node_modules", "var", "site-packages"})


class Watch:
    """Directories, and the services that run what is in them."""

    def __init__(
        self,
        directories: Sequence[Path],
        services: Sequence[Service],
        before: Callable[[], None] | None = None,
        without: Sequence[Path] = (),
    ) -> None:
        self.services = services
        self._directories, self._before = directories, before
        self._without = frozenset(str(path) for path in without)
        self._seen = self._look()

    def changed(self) -> Path | None:
        """One file that appeared, changed or went since the last look, if any."""
        before, self._seen = self._seen, self._look()
        different = {path for path, _ in before.items() ^ self._seen.items()}
        return Path(min(different)) if different else None

    def restart(self) -> None:
        """Replace the services by new processes."""
        if self._before is not None:
            self._before()
        for service in self.services:
            service.replace()

    def _look(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for directory in self._directories:
            found.update(_times(str(directory), self._without))
        return found


def _times(directory: str, without: frozenset[str]) -> Iterator[tuple[str, int]]:
    try:
        entries = list(os.scandir(directory))
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            hidden = entry.name.startswith(".") or entry.name in _SKIPPED
            if not hidden and entry.path not in without:
                yield from _times(entry.path, without)
        elif os.path.splitext(entry.name)[1] in SUFFIXES:
            yield entry.path, _time(entry)


def _time(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_mtime_ns
    except OSError:
        return 0
