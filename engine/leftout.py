"""Task files whose import ends the process, which nothing in that process can catch.

Whoever outlives it learns which file it was importing, and tells its successor to leave that one
out: the file's tasks are broken like those of a file that does not import.
"""

import signal
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

MEMORY = "it used too much memory"


@dataclass(slots=True)
class LeftOut:
    """Files not to import, each for as long as it stays as it was."""

    errors: dict[str, str] = field(default_factory=dict)
    contents: dict[str, str] = field(default_factory=dict)

    def add(self, path: str, error: str) -> None:
        """Leave a file out from now on, and why."""
        self.errors[path], self.contents[path] = error, content(path)

    def why(self, path: Path) -> str | None:
        """Why this file is left out; None when it is not."""
        return self.errors.get(str(path))

    def forgive(self) -> list[str]:
        """Forget the files that have changed, and name them."""
        changed = [path for path, known in self.contents.items() if content(path) != known]
        for path in changed:
            del self.errors[path], self.contents[path]
        return changed


def content(path: str) -> str:
    """What tells two versions of a file apart."""
    try:
        return sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return "none"


def sentence(path: str, exitcode: int | None, why: str = "") -> str:
    """What is said of a file whose import ended its process."""
    return (
        f"Importing {path} ended the process ({why or ending(exitcode)}). "
        "It is left out until it changes or the cluster starts anew."
    )


def ending(exitcode: int | None) -> str:
    if exitcode is None or exitcode >= 0:
        return f"exit code {exitcode}"
    return f"signal {signal.Signals(-exitcode).name}"
