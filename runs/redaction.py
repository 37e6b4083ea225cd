"""What must not be read although it is stored: values at places, and words in texts (DEC-52).

The setting REDACT names both: `{"keys": ["*password*", "user.email"], "text": ["4\\d{15}"]}`. A key is
a name, or several joined by dots that stand within each other; they are looked for at any depth, lists
are looked through, `*` is any characters of one name and `**` any names. Upper and lower case, `-` and
`_` do not matter. What is masked is one whole value; the rest of a document stays as stored, byte for
byte. In texts, which have no members, `password=…` and `"password": …` are masked too.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from runs import conf
from runs.errors import InvalidOption

MASK = "[redacted]"
MASKED = json.dumps(MASK)
#: Between the names of a path, where it is compared.
GAP = "\x1f"
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{},:]|[^\s\[\]{},:"]++', re.DOTALL)
#: What follows a name in a text: a quoted value, a scheme with its credentials, or one word.
VALUE = (
    r"""(["']?\s*+(?:=>|[=:])\s*+)(?:"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'"""
    r"""|(?:bearer|basic|token)\s++[^\s,;&)}\]"']++|[^\s,;&)}\]"']++)"""
)
#: An escape that spells what could stand there itself: it may hide any name.
ESCAPED = re.compile(r"\\u00[2-7]")
#: Whether the value at a path is masked, and what is shown instead of a token.
Hides = Callable[[str], bool]
Shown = Callable[[str], str]
UNWRITTEN = "is shown as [redacted] and was not shown to you: write the value itself"


class Spot(NamedTuple):
    """A part of a document that is masked: where it stands, and what is shown instead."""

    place: str
    start: int
    end: int
    shown: str


@dataclass(frozen=True)
class Rules:
    """What a setting means, compiled."""

    #: Fits the whole path of a value.
    places: re.Pattern[str] | None = None
    #: What a document must have somewhere to hold such a place; None where that cannot be said.
    hint: re.Pattern[str] | None = None
    names: re.Pattern[str] | None = None
    words: tuple[re.Pattern[str], ...] = ()
    _known: dict[str, bool] = field(default_factory=dict, compare=False, repr=False)

    def document(self, text: str, source: str = "") -> str:
        """A JSON text with what must not be read masked; `source` is the first name of its paths."""
        found = self.spots(text, source)
        return spliced(text, [(one.start, one.end, one.shown) for one in found])

    def text(self, text: str) -> str:
        """A log line or message, masked."""
        if self.names is not None:
            text = self.names.sub(rf"\1\2{MASK}", text)
        for word in self.words:
            text = word.sub(MASK, text)
        return text

    def value(self, value: Any, source: str = "") -> Any:
        """The same for plain values."""
        text = json.dumps(value)
        shown = self.document(text, source)
        return value if shown is text else json.loads(shown)

    def spots(self, text: str, source: str = "") -> list[Spot]:
        """What is masked in a JSON text, in its order."""
        if not self._may_hit(text):
            return []
        try:
            return _Scan(text, source, self.hides, self._token).run()
        except (ValueError, IndexError):  # no JSON, or only the beginning of some
            return [Spot("$", 0, len(text), MASKED)]

    def _may_hit(self, text: str) -> bool:
        if self.places is not None and (self.hint is None or ESCAPED.search(text)):
            return True
        return self._is_suspect(text)

    def _is_suspect(self, text: str) -> bool:
        found = self.hint is not None and self.hint.search(text) is not None
        return found or any(word.search(text) for word in self.words)

    def _token(self, word: str) -> str:
        """A text or number of a document, masked; the same object where nothing is."""
        if not (self._is_suspect(word) or ESCAPED.search(word)):
            return word
        value = json.loads(word) if word[0] == '"' else word
        shown = self.text(value)
        return word if shown == value else json.dumps(shown)

    def hides(self, path: str) -> bool:
        """Whether the value with these names around it is masked."""
        if path not in self._known:
            if len(self._known) > 10_000:
                self._known.clear()
            fits = self.places is not None and self.places.fullmatch(GAP + path)
            self._known[path] = bool(fits)
        return self._known[path]


class _Scan:
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


def rules() -> Rules:
    """What the setting REDACT says now."""
    asked = conf.get("REDACT")
    keys, words = asked.get("keys", conf.REDACTED_KEYS), asked.get("text", ())
    return compiled(tuple(keys), tuple(words))


def problem(asked: object) -> str:
    """Why the setting cannot be right, in a sentence; empty where it is."""
    if not isinstance(asked, dict) or asked.keys() - {"keys", "text"}:
        return 'TRACKSIDE["REDACT"] is a dict with “keys” and “text”.'
    for name, those in asked.items():
        if not isinstance(those, (list, tuple)) or not all(isinstance(one, str) for one in those):
            return f'TRACKSIDE["REDACT"]["{name}"] is a list of texts.'
    try:
        compiled(tuple(asked.get("keys", ())), tuple(asked.get("text", ())))
    except (ValueError, re.error) as error:
        return f'TRACKSIDE["REDACT"] has a pattern that is none: {error}'
    return ""


@lru_cache(8)
def compiled(keys: tuple[str, ...], words: tuple[str, ...]) -> Rules:
    """Raises ValueError for a pattern that is none."""
    paths = [_names(key) for key in keys]
    singles = [path[-1] for path in paths if len(path) == 1 and path[-1].strip("*")]
    return Rules(
        places=_joined([_place(path) for path in paths]),
        hint=_hint([path[-1].strip("*") for path in paths]),
        names=_names_in_text(singles),
        words=tuple(re.compile(word) for word in words),
    )


def fold(name: str) -> str:
    """Names that differ in this only are the same."""
    return re.sub("[-_\\s]", "", name).lower()


def spliced(text: str, parts: list[tuple[int, int, str]]) -> str:
    """`text` with other parts from here to there; the very same object where there are none."""
    if not parts:
        return text
    found, at = [], 0
    for start, end, new in parts:
        found += [text[at:start], new]
        at = end
    return "".join([*found, text[at:]])


def restored(edited: str, original: str, source: str = "payload") -> str:
    """A document somebody edited as it was shown to him, with what was masked put back.

    Raises InvalidOption where a mask stands that stands for nothing: it would be stored as a value.
    """
    if "redacted" not in edited:
        return edited
    known = {
        one.place: (one.shown, original[one.start : one.end])
        for one in rules().spots(original, source)
    }
    parts = []
    for one in _masks(edited, source):
        shown, stored = known.get(one.place, ("", ""))
        if json.loads(shown or '""') != json.loads(one.shown):
            raise InvalidOption(source, f"What stands at {one.place} {UNWRITTEN}.")
        parts.append((one.start, one.end, stored))
    return spliced(edited, parts)


def _masks(text: str, source: str) -> list[Spot]:
    """Where somebody's text has the mask: `shown` is the whole of that string."""
    scan = _Scan(text, source, lambda path: False, lambda word: "" if MASK in word else word)
    return [one._replace(shown=text[one.start : one.end]) for one in scan.run()]


def _names(key: str) -> list[str]:
    """The names of a pattern, without the `*` and `$` people begin with and the `[]` of lists."""
    names = [fold(re.sub(r"\[[^\]]*\]", "", name)) for name in key.split(".")]
    names = [name for name in names if name]
    while names and names[0] in ("*", "**", "$"):
        del names[0]
    if not names:
        raise ValueError(f"{key!r} names no member.")
    return names


def _place(names: list[str]) -> str:
    """A path ends so."""
    return "".join(
        f"(?:{GAP}[^{GAP}]*+)*" if name == "**" else GAP + _globbed(name, f"[^{GAP}]*")
        for name in ("**", *names)
    )


def _globbed(name: str, anything: str) -> str:
    return anything.join(map(re.escape, name.split("*")))


def _hint(names: list[str]) -> re.Pattern[str] | None:
    """Fits any document that has one of these names, however it is joined."""
    if not all(names):
        return None
    return _joined([_written(name, '[^"]*?') for name in names], re.IGNORECASE)


def _written(name: str, anything: str) -> str:
    """However its words are joined."""
    return anything.join("[-_\\s]?".join(map(re.escape, part)) for part in name.split("*"))


def _names_in_text(names: list[str]) -> re.Pattern[str] | None:
    if not names:
        return None
    found = (_written(name, "[\\w-]*?") for name in names)
    return re.compile(rf"(?<![\w-])({'|'.join(found)})(?![\w-]){VALUE}", re.IGNORECASE)


def _joined(patterns: list[str], flags: int = 0) -> re.Pattern[str] | None:
    return re.compile("|".join(patterns), flags) if patterns else None
