"""A stored error as the page shows it: the author's own frames first and bright."""

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from dashboard import sight

#: Where other people's code lives.
LIBRARY = re.compile(r"site-packages|dist-packages|lib/python\d|<frozen |/engine/(?!\S*tasks)")
FRAME = re.compile(r'^\s*File "(?P<file>.+?)", line (?P<line>\d+)(?:, in (?P<function>.+))?$')
FRAMES = 200
RELATIONS = {"cause": "Caused by", "context": "While handling", "member": "With"}
MESSAGE = 10_000


@dataclass(frozen=True, slots=True)
class Frame:
    """One line of a stack."""

    file: str
    line: int
    function: str
    code: str
    own: bool
    #: From 1, the outermost.
    number: int = 0


@dataclass(frozen=True, slots=True)
class Fold:
    """Frames of libraries that stand together."""

    frames: list[Frame]

    @property
    def packages(self) -> str:
        """Whose they are."""
        names = dict.fromkeys(package(frame.file) for frame in self.frames)
        shown = list(names)[:4]
        return ", ".join(shown) + (" and more" if len(names) > len(shown) else "")


@dataclass(frozen=True, slots=True)
class Failure:
    """An error by name and message, with its stack and what caused it."""

    name: str
    message: str
    stack: str = ""
    code: str = ""
    frames: list[Frame] = field(default_factory=list)
    causes: list["Failure"] = field(default_factory=list)
    #: How it belongs to the error it is a cause of.
    relation: str = ""

    @property
    def own(self) -> list[Frame]:
        return [frame for frame in self.frames if frame.own]

    @property
    def own_place(self) -> tuple[int, Frame] | None:
        """The author's frame that is nearest to the error, and its number in the stack."""
        found = [(number, frame) for number, frame in enumerate(self.frames, 1) if frame.own]
        return found[-1] if found else None

    @property
    def folded(self) -> list["Frame | Fold"]:
        """The stack with the frames of libraries between the author's own put together."""
        found: list[Frame | Fold] = []
        for number, frame in enumerate(self.frames, 1):
            if frame.own:
                found.append(replace(frame, number=number))
            elif found and isinstance(found[-1], Fold):
                found[-1].frames.append(replace(frame, number=number))
            else:
                found.append(Fold([replace(frame, number=number)]))
        return found

    @property
    def library_count(self) -> int:
        return len(self.frames) - len(self.own)

    @property
    def first_line(self) -> str:
        return self.message.strip().partition("\n")[0][:300]

    @property
    def headline(self) -> str:
        """The name alone where the error says nothing."""
        return f"{self.name}: {self.first_line}" if self.first_line else self.name


def package(file: str) -> str:
    """The package a library's file is of."""
    parts = PurePosixPath(file.replace("\\", "/")).parts
    for place in ("site-packages", "dist-packages"):
        if place in parts[:-1]:
            return parts[parts.index(place) + 1].removesuffix(".py")
    standard = next(
        (i for i, part in enumerate(parts) if re.fullmatch(r"python\d[\d.]*", part)), None
    )
    if standard is not None and standard + 1 < len(parts):
        return parts[standard + 1].removesuffix(".py")
    return parts[-1].removesuffix(".py") if parts else file


def read(text: str | None) -> Failure | None:
    """The failure stored as JSON `text`; None without one."""
    if not text:
        return None
    return _failure(_parsed(text))


def headline(text: str) -> str:
    """Name and first line of the failure stored as JSON `text`, without reading its stack."""
    data = _parsed(text)
    failure = _failure({"name": data.get("name"), "message": data.get("message")})
    return failure.name if sight.is_hidden() else failure.headline


def _parsed(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError:
        return {"message": text}
    return data if isinstance(data, dict) else {"message": str(data)}


def _failure(data: dict[str, Any], depth: int = 0) -> Failure:
    stack = sight.text(str(data.get("stack_trace") or ""))
    stored = data.get("frames")
    causes = data.get("causes") if depth < 5 else None
    return Failure(
        name=str(data.get("name") or "Error"),
        message=_message(data),
        stack=stack,
        code=str(data.get("code") or ""),
        frames=_stored_frames(stored) if isinstance(stored, list) else _parsed_frames(stack),
        relation=RELATIONS.get(str(data.get("relation")), "Caused by"),
        causes=[_failure(cause, depth + 1) for cause in causes or [] if isinstance(cause, dict)],
    )


def _message(data: dict[str, Any]) -> str:
    message = str(data.get("message") or "")
    return (sight.HIDDEN if message and sight.is_hidden() else sight.text(message))[:MESSAGE]


def _stored_frames(entries: list[Any]) -> list[Frame]:
    return [_stored_frame(entry) for entry in entries[:FRAMES] if isinstance(entry, dict)]


def _stored_frame(entry: dict[str, Any]) -> Frame:
    file, line = str(entry.get("file") or ""), entry.get("line")
    return Frame(
        file=file,
        line=line if isinstance(line, int) else 0,
        function=str(entry.get("function") or ""),
        code=sight.text(str(entry.get("text") or "").strip()),
        own=bool(entry.get("own", not LIBRARY.search(file))),
    )


def _parsed_frames(stack: str) -> list[Frame]:
    lines = stack.splitlines()
    found = [(index, match) for index, line in enumerate(lines) if (match := FRAME.match(line))]
    return [_parsed_frame(match, lines, index) for index, match in found[:FRAMES]]


def _parsed_frame(match: re.Match[str], lines: list[str], index: int) -> Frame:
    after = lines[index + 1] if index + 1 < len(lines) else ""
    code = "" if FRAME.match(after) else after.strip()
    return Frame(
        file=match["file"],
        line=int(match["line"]),
        function=match["function"] or "",
        code=code,
        own=not LIBRARY.search(match["file"]),
    )
