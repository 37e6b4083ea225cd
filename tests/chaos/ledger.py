"""What happened, written outside of the database: lines of JSON in a file of each process's own."""

import json
import os
import time
from pathlib import Path
from typing import Any

Note = dict[str, Any]
_opened: tuple[int, int] = (0, -1)


def write(facts: Note) -> None:
    """Append one line in one write. Not flushed to disk: processes die here, not the machine."""
    global _opened
    if _opened[0] != os.getpid():
        directory = Path(os.environ["CHAOS_LEDGER"])
        name = str(directory / f"{os.getpid()}.jsonl")
        _opened = (os.getpid(), os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600))
    line = {
        **facts,
        "pid": os.getpid(),
        "host": os.environ.get("CHAOS_NODE", ""),
        "at": time.time(),
        "tick": time.monotonic(),
    }
    os.write(_opened[1], f"{json.dumps(line)}\n".encode())


def read(directory: Path) -> list[Note]:
    """All that was written, oldest first; a line that its writer did not end is none."""
    texts = [path.read_text() for path in directory.glob("*.jsonl")]
    lines = [line for text in texts for line in text.splitlines() if line.endswith("}")]
    return sorted(map(json.loads, lines), key=lambda note: note["at"])
