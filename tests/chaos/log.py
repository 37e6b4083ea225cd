"""What the driver itself did and saw, beside the ledgers of the processes it breaks."""

import json
import threading
import time
from pathlib import Path
from typing import Any

from tests.chaos.ledger import Note


class Log:
    """Lines of many threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.Lock()
        self.lines: list[Note] = []

    def write(self, what: str, **facts: Any) -> Note:
        line = {"what": what, "at": time.time(), **facts}
        with self.lock, self.path.open("a") as out:
            self.lines.append(line)
            out.write(json.dumps(line, default=str) + "\n")
        return line

    def of(self, *what: str) -> list[Note]:
        with self.lock:
            return [line for line in self.lines if line["what"] in what]
