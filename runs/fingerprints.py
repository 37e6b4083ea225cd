"""What tells one error from another: its class, its message without the numbers, the author's own frames."""

import hashlib
import json
import re
from typing import Any

#: Hex digits of a fingerprint.
LENGTH = 16
#: Of a message that counts; of the frames, the innermost ones.
MESSAGE, FRAMES, CAUSES = 300, 10, 3
#: Characters of a text that are looked at: patterns cost time, and messages are as long as they like.
LOOKED_AT = 1000
#: What differs between two cases of one error, in the order it is taken out.
VARYING = (
    (re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}\b"), "<email>"),
    (re.compile(r"\b[a-z][a-z0-9+]{1,10}://[^\s'\"<>)\]]{1,500}", re.I), "<url>"),
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.I), "<id>"),
    (re.compile(r"\b(?:run|batch|sched|queue|waitpoint|bulk|error)_[0-9a-z]{6,32}\b"), "<id>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.I), "<hex>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,64}\b", re.I), "<hex>"),
    (re.compile(r"\b[A-Za-z]{1,12}[_-](?=[A-Za-z_-]{0,60}\d)[\w-]{6,60}\b"), "<id>"),
    (re.compile(r"\b(?=[a-z]{0,60}\d)(?=\d{0,60}[a-z])[a-z\d]{12,64}\b", re.I), "<id>"),
    (
        re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"),
        "<time>",
    ),
    (re.compile(r"\d+(?:[.,:]\d+)*"), "<n>"),
    (re.compile(r"\s+"), " "),
)
#: Of runs that were never started, so that nothing raised.
EXPIRED = "expired"


def mark(error: str | None) -> str:
    """What is the same in all cases of one error, whatever the task; `error` is JSON text."""
    if not error:
        return ""
    facts = parsed(error)
    parts = [
        str(facts.get("code") or ""),
        *_told(facts),
        *(str(cause.get("name")) for cause in _dicts(facts.get("causes"))[:CAUSES]),
    ]
    return _digest("\n".join(parts))


def of(mark: str, task_id: str) -> str:
    """The fingerprint of an error of a task: `trackside_failed` makes the same in PostgreSQL."""
    return _digest(f"{mark} {task_id}")


def normal(message: str) -> str:
    """A message without what differs between two cases of one error."""
    text = message[:LOOKED_AT]
    for pattern, word in VARYING:
        text = pattern.sub(word, text)
    return text.strip()[:MESSAGE]


def place(error: str | None) -> str:
    """Where in the author's code it came up: "billing.py:12 in charge"; empty where nothing tells."""
    own = _own(parsed(error)) if error else []
    if not own:
        return ""
    last = own[-1]
    return f"{_file(last)}:{last.get('line', 0)} in {last.get('function', '?')}"[:300]


def parsed(error: str) -> dict[str, Any]:
    """A stored error; one that is no JSON object has its text as message."""
    try:
        facts = json.loads(error)
    except ValueError:
        return {"message": error}
    return facts if isinstance(facts, dict) else {"message": str(facts)}


def _told(facts: dict[str, Any]) -> list[str]:
    """Class, message and frames; frames without lines, which move with every change of the file."""
    frames = [f"{_file(frame)} {frame.get('function')}" for frame in _own(facts)]
    # a recursion is one place, however deep it went
    shown = [
        frame for frame, before in zip(frames, [None, *frames], strict=False) if frame != before
    ]
    name, message = str(facts.get("name") or ""), str(facts.get("message") or "")
    return [name, normal(message), *shown[-FRAMES:]]


def _own(facts: dict[str, Any]) -> list[dict[str, Any]]:
    return [frame for frame in _dicts(facts.get("frames")) if frame.get("own")]


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _file(frame: dict[str, Any]) -> str:
    """Its name and that of its folder: machines check code out in different places."""
    return "/".join(str(frame.get("file") or "").replace("\\", "/").rsplit("/", 2)[-2:])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:LENGTH]
