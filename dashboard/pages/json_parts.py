"""A JSON text as a tree of its own characters: nothing is turned into numbers or strings and back."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

from dashboard.pages.documents import TOKEN

#: Values of a tree, and how deep they may nest; what has more is shown as text.
MOST, DEEPEST = 3000, 64
#: Names that need no quotes in a path.
PLAIN = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)


class TooMany(ValueError):
    """More values than a tree shows, or no JSON."""


@dataclass(slots=True)
class Part:
    """A value: `raw` is its text where it is one token, else it is "{" or "["."""

    raw: str
    kind: str
    #: (name as stored, or empty in a list; value)
    members: list[tuple[str, "Part"]] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """It has members, or might."""
        return self.raw in "[{"


def parsed(text: str) -> Part:
    """The document `text`. Raises TooMany."""
    tokens = ((one[0], one.lastgroup or "") for one in TOKEN.finditer(text))
    reader = _Reader(token for token in tokens if token[1] != "space")
    return reader.document()


class _Reader:
    """From words to parts."""

    def __init__(self, words: Iterator[tuple[str, str]]) -> None:
        self._words, self._count, self._depth = words, 0, 0

    def document(self) -> Part:
        found = self._value(*self._next())
        if next(self._words, None) is not None:
            raise TooMany("Something follows the document.")
        return found

    def _next(self) -> tuple[str, str]:
        found = next(self._words, None)
        if found is None:
            raise TooMany("The document is cut off.")
        return found

    def _value(self, word: str, kind: str) -> Part:
        self._count += 1
        if self._count > MOST:
            raise TooMany(f"More than {MOST} values.")
        if word == "{":
            return self._several(Part(word, "object"), "}")
        if word == "[":
            return self._several(Part(word, "array"), "]")
        if kind not in ("str", "num", "word"):
            raise TooMany("This is no value.")
        return Part(word, kind)

    def _several(self, part: Part, end: str) -> Part:
        self._depth += 1
        if self._depth > DEEPEST:
            raise TooMany(f"More than {DEEPEST} deep.")
        word, kind = self._next()
        while word != end:
            name = ""
            if end == "}":
                if kind != "key":
                    raise TooMany("This is no name.")
                name = word
                self._next()  # the colon
                word, kind = self._next()
            part.members.append((name, self._value(word, kind)))
            word, kind = self._next()
            if word == ",":
                word, kind = self._next()
        self._depth -= 1
        return part


def paths(fragment: str, path: str, part: Part) -> Iterator[tuple[str, str, str, Part]]:
    """(fragment of an address, path as the list's search has it, name, value) of each member.

    The second of two members with one name has a fragment of its own.
    """
    taken: dict[str, int] = {}
    for number, (name, value) in enumerate(part.members):
        if name:
            plain = json.loads(name)
            is_plain = PLAIN.fullmatch(plain) is not None
            step = plain if is_plain else quote(plain, safe="", errors="replace")
            written = f".{plain}" if is_plain else f"[{name}]"
        else:
            step, written = str(number), f"[{number}]"
        taken[step] = taken.get(step, 0) + 1
        if taken[step] > 1:
            step = f"{step}~{taken[step]}"
        yield f"{fragment}.{step}", f"{path}{written}", name, value


def canonical(part: Part, depth: int = 0) -> Iterator[str]:
    """Members sorted by name, one a line, characters instead of escapes; numbers stay as stored."""
    if not part.is_open:
        yield spelled(part.raw) if part.kind == "str" else part.raw
        return
    if not part.members:
        yield "{}" if part.kind == "object" else "[]"
        return
    inner, members = "\n" + "  " * (depth + 1), part.members
    if part.kind == "object":
        members = sorted(members, key=lambda member: json.loads(member[0]))
    yield part.raw
    for number, (name, value) in enumerate(members):
        yield ("," if number else "") + inner + (f"{spelled(name)}: " if name else "")
        yield from canonical(value, depth + 1)
    yield "\n" + "  " * depth + ("}" if part.kind == "object" else "]")


def spelled(raw: str) -> str:
    """A string with as few escapes as can be; half a character stays escaped."""
    written = json.dumps(json.loads(raw), ensure_ascii=False)
    return raw if re.search(r"[\ud800-\udfff]", written) else written
