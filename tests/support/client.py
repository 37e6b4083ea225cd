"""The reference's own client, in a Node.js process that makes the calls tests ask for."""

import itertools
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

DRIVER = Path(__file__).resolve().parents[1] / "acceptance" / "client"


class Refused(Exception):
    """What the client threw: the name of its class, and of an API error the status."""

    def __init__(self, name: str, kind: str, message: str, **others: Any) -> None:
        super().__init__(f"{kind}: {message}")
        self.name, self.kind, self.message = name, kind, message
        self.status: int | None = others.get("status")
        self.code: str | None = others.get("code")


class JavaScript:
    """`js("runs.retrieve", run_id)` is what `retrieve` of client/runs.mjs returns, as JSON."""

    def __init__(self, url: str, key: str, environment: Mapping[str, str] = os.environ) -> None:
        self._numbers = itertools.count(1)
        self._answers: dict[int, SimpleQueue[dict[str, Any]]] = {}
        self._process = subprocess.Popen(
            [shutil.which("node") or "node", str(DRIVER / "main.mjs")],
            env={**environment, "TRIGGER_API_URL": url, "TRIGGER_SECRET_KEY": key},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def __call__(self, call: str, *arguments: Any, within: float = 40) -> Any:
        """Its value; raises Refused where the client throws."""
        return self.start(call, *arguments)(within)

    def start(self, call: str, *arguments: Any) -> Callable[[float], Any]:
        """Begin a call, as one that waits for what the test does next; `(seconds)` ends it."""
        number = next(self._numbers)
        answers = self._answers[number] = SimpleQueue()
        asked = {"id": number, "call": call, "args": arguments}
        self._process.stdin.write(f"{json.dumps(asked)}\n")
        self._process.stdin.flush()

        def ended(within: float = 40) -> Any:
            try:
                told = answers.get(timeout=within)
            except Empty:
                raise AssertionError(f"{call} did not return within {within:g} s") from None
            if "error" in told:
                raise Refused(**told["error"])
            return told["value"]

        return ended

    def close(self) -> None:
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def _listen(self) -> None:
        for line in self._process.stdout:
            told = json.loads(line)
            self._answers.pop(told.pop("id")).put(told)
