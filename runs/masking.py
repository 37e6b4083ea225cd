"""Which parts of a JSON text are masked, found in one pass over its tokens."""

import json
import re
from collections.abc import Callable
from typing import NamedTuple

MASK = "[redacted]"
MASKED = json.dumps(MASK)
#: Between the names of a path, where it is compared.
GAP = "\x1f"
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{},:]|[^\s\[\]{},:"]++', re.DOTALL)
#: Whether the value at a path is masked, and what is shown instead of a token.
Hides = Callable[[str], bool]
Shown = Callable[[str], str]


class Spot(NamedTuple):
    """A part of a document that is masked: where it stands, and what is shown instead."""

    place: str
    start: int
    end: int
    shown: str


class Scan:
    """One pass over the tokens of a JSON text: a call a token, as there may be a million."""

    def __init__(self, text: str, source: str, hides: Hides, shown: Shown) -> None:
        self.text, self.hides, self.shown = text, hides, shown
        self.spots: list[Spot] = []
        #: Names around the current value, joined; items of lists add none.
        self.path = fold(source)
        #: For each open bracket the path around it, and the name or number of what is read in it.
        self.open: list[tuple[str, str | int | None]] = []
        self.is_key = False
        #: Where a masked object or list began, and how many brackets were open then.
        self.masked: tuple[int, int] | None = None
        self.folded: dict[str, str] = {}

    def run(self) -> list[Spot]:
        calls = {"{": self._open, "[": self._open, "}": self._close, "]": self._close}
        calls |= {",": self._next, ":": self._colon}
        scalar = self._scalar
        for token in TOKEN.finditer(self.text):
            calls.get(token[0], scalar)(token)
        return self.spots

    def _colon(self, token: re.Match[str]) -> None:
        self.is_key = False

    def _open(self, token: re.Match[str]) -> None:
        if self.masked is None and self.hides(self.path):
            self.masked = token.start(), len(self.open)
        self.is_key = token[0] == "{"
        self.open.append((self.path, None if self.is_key else 0))

    def _scalar(self, token: re.Match[str]) -> None:
        word = token[0]
        if self.is_key:
            self._name(token)
        elif self.masked is not None:
            return
        elif self.hides(self.path):
            self._mask(token.start(), token.end(), MASKED)
        else:
            shown = self.shown(word)
            if shown is not word:
                self._mask(token.start(), token.end(), shown)

    def _name(self, token: re.Match[str]) -> None:
        word, around = token[0], self.open[-1][0]
        if word not in self.folded:
            # names with dots are as names within each other
            self.folded[word] = GAP + fold(json.loads(word)).replace(".", GAP)
        self.path = around + self.folded[word]
        self.open[-1] = around, word
        if self.masked is None and (shown := self.shown(word)) is not word:
            self._mask(token.start(), token.end(), shown, " (its name)")

    def _next(self, token: re.Match[str]) -> None:
        self.path, at = self.open[-1]
        if isinstance(at, int):
            self.open[-1] = self.path, at + 1
        else:
            self.is_key = True

    def _close(self, token: re.Match[str]) -> None:
        self.path = self.open.pop()[0]
        self.is_key = False
        if self.masked is not None and len(self.open) == self.masked[1]:
            self._mask(self.masked[0], token.end(), MASKED)
            self.masked = None

    def _mask(self, start: int, end: int, shown: str, which: str = "") -> None:
        """Note it, with the place where it stands, exactly."""
        names = (
            f"[{at}]" if isinstance(at, int) else f".{json.loads(at or '')}" for _, at in self.open
        )
        self.spots.append(Spot("$" + "".join(names) + which, start, end, shown))


def fold(name: str) -> str:
    """Names that differ in this only are the same."""
    return re.sub("[-_\\s]", "", name).lower()
