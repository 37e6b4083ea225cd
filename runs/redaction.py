"""What must not be read although it is stored: values at places, and words in texts (DEC-52).

The setting REDACT names both: `{"keys": ["*password*", "user.email"], "text": ["4\\d{15}"]}`. A key is
a name, or several joined by dots that stand within each other; they are looked for at any depth, lists
are looked through, `*` is any characters of one name and `**` any names. Upper and lower case, `-` and
`_` do not matter. What is masked is one whole value; the rest of a document stays as stored, byte for
byte. In texts, which have no members, `password=…` and `"password": …` are masked too.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from runs import conf
from runs.errors import InvalidOption
from runs.masking import GAP, MASK, MASKED, Scan, Spot, fold

#: What follows a name in a text: a quoted value, a scheme with its credentials, or one word.
VALUE = (
    r"""(["']?\s*+(?:=>|[=:])\s*+)(?:"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'"""
    r"""|(?:bearer|basic|token)\s++[^\s,;&)}\]"']++|[^\s,;&)}\]"']++)"""
)
#: An escape that spells what could stand there itself: it may hide any name.
ESCAPED = re.compile(r"\\u00[2-7]")
UNWRITTEN = "is shown as [redacted] and was not shown to you: write the value itself"


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
            return Scan(text, source, self.hides, self._token).run()
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

    def hides_below(self, source: str, names: Iterable[str | int]) -> bool:
        """Whether the value at these names of a column is masked, or one that it is part of."""
        path = fold(source)
        for name in names:
            if isinstance(name, str):
                path += GAP + fold(name).replace(".", GAP)
            if self.hides(path):
                return True
        return False

    def hides(self, path: str) -> bool:
        """Whether the value with these names around it is masked."""
        if path not in self._known:
            if len(self._known) > 10_000:
                self._known.clear()
            fits = self.places is not None and self.places.fullmatch(GAP + path)
            self._known[path] = bool(fits)
        return self._known[path]


#: The setting that was compiled last, and what it means: pages ask for each of a thousand texts.
_last: tuple[object, Rules] | None = None


def rules() -> Rules:
    """What the setting REDACT says now."""
    global _last
    asked, last = conf.get("REDACT"), _last
    if last is not None and last[0] is asked:
        return last[1]
    keys, words = asked.get("keys", conf.REDACTED_KEYS), asked.get("text", ())
    found = compiled(tuple(keys), tuple(words))
    _last = asked, found
    return found


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
    scan = Scan(text, source, lambda path: False, lambda word: "" if MASK in word else word)
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
