"""What the bodies are to compute: the checker computes it again."""

import hashlib
from typing import Any


def plain_output(payload: dict[str, Any]) -> dict[str, Any]:
    digest = hashlib.sha256(str(payload["n"]).encode()).hexdigest()[:12]
    return {"n": payload["n"], "double": payload["n"] * 2, "digest": digest}
