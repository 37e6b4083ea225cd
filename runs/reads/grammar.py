"""The one language in which runs are searched for: `status:failed task:send-* -tag:x dur:>30s`.

A search is a list of terms. Terms of different qualifiers all hold; of one qualifier any of them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches

from runs import keypaths
from runs.reads import measures
from runs.reads.qualifiers import (
    ALIASES,
    DOCUMENTS,
    NUMBER,
    QUALIFIERS,
    SPAN,
    STATUSES,
    TIME,
    WORD,
    YES_NO,
)

LONGEST, MOST = 2000, 40
STEP = r"(?:\.[^.\[\]\s:\"]+|\[\d+\]|\[\"[^\"]+\"\])"
NAME = re.compile(rf"((?:{'|'.join(DOCUMENTS)}){STEP}+|[A-Za-z_]+):", re.ASCII)
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
BARE = re.compile(r"[^\s,]+")
PLAIN = re.compile(r'[^\s,"]+')


class GrammarError(ValueError):
    """The text is no search; `at` is the place of the character that shows it."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


@dataclass(frozen=True, slots=True)
class Value:
    """What a run must have. A literal one was quoted: its * and > mean themselves."""

    text: str
    literal: bool = False

    @property
    def is_pattern(self) -> bool:
        """Whether its * stand for anything."""
        return not self.literal and "*" in self.text

    @property
    def is_comparison(self) -> bool:
        return not self.literal and measures.is_comparison(self.text)

    def __str__(self) -> str:
        if PLAIN.fullmatch(self.text) and not self.literal:
            return self.text
        escaped = self.text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'


@dataclass(frozen=True, slots=True)
class Term:
    """One demand. The name is a qualifier's, a place like `payload.order_id`, or empty for a word."""

    name: str
    values: tuple[Value, ...]
    negated: bool = False

    def __str__(self) -> str:
        words = ",".join(_spelled(self.name, value) for value in self.values)
        return ("-" if self.negated else "") + (f"{self.name}:{words}" if self.name else words)

    @property
    def document(self) -> str:
        """The document it looks into, or empty."""
        name = re.split(r"[.\[]", self.name, maxsplit=1)[0]
        return name if name in DOCUMENTS else ""

    @property
    def path(self) -> keypaths.Path:
        return keypaths.parse("$" + self.name.removeprefix(self.document))

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(value.text for value in self.values)


def parse(text: str) -> tuple[Term, ...]:
    """The terms of a search, those of one qualifier together. Raises GrammarError."""
    if len(text) > LONGEST:
        raise GrammarError(f"A search has at most {LONGEST} characters.", LONGEST)
    if "\x00" in text:
        raise GrammarError("No run holds the character U+0000.", text.index("\x00"))
    found: list[Term] = []
    at = _past_space(text, 0)
    while at < len(text):
        term, end = _term(text, at)
        found.append(term)
        at = _past_space(text, end)
    terms = merged(found)
    if sum(len(term.values) for term in terms) > MOST:
        raise GrammarError(f"A search asks for at most {MOST} values.", len(text))
    return terms


def write(terms: Iterable[Term]) -> str:
    """The text whose terms these are."""
    return " ".join(map(str, terms))


def merged(terms: Iterable[Term]) -> tuple[Term, ...]:
    """Values of one qualifier in one term; comparisons stay apart, because all of them hold."""
    found: dict[object, Term] = {}
    for number, term in enumerate(terms):
        apart = not term.name or _compares(term)
        key = number if apart else (term.name, term.negated)
        if before := found.get(key):
            values = tuple(dict.fromkeys((*before.values, *term.values)))
            term = replace(before, values=values)
        found[key] = term
    return tuple(found.values())


def _compares(term: Term) -> bool:
    if term.document:
        return any(value.is_comparison for value in term.values)
    return QUALIFIERS[term.name].kind in {SPAN, NUMBER, TIME}


def _spelled(name: str, value: Value) -> str:
    return value.text.lower().replace("_", "-") if name == "status" else str(value)


def _past_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _term(text: str, start: int) -> tuple[Term, int]:
    at = start
    negated = text[at] == "-" and not text[at + 1 : at + 2].isspace() and at + 1 < len(text)
    at += negated
    named = NAME.match(text, at)
    if named is None:
        value, end = _value(text, at, until=re.compile(r"\S+"))
        return Term("", (value,), negated), end
    name = _known(named[1], at)
    values, at = _values(text, named.end(), named[0])
    checked = tuple(
        dict.fromkeys(one for value, place in values for one in _checked(name, value, place))
    )
    return Term(name, checked, negated), at


def _known(name: str, at: int) -> str:
    lower = name.lower()
    known = ALIASES.get(lower, lower)
    if known in QUALIFIERS:
        return known
    if Term(name, ()).document and name not in DOCUMENTS:
        return name
    if name in DOCUMENTS:
        raise GrammarError(f"Say where in the {name}: {name}.order_id:42", at)
    close = get_close_matches(lower, [*QUALIFIERS, *DOCUMENTS, *ALIASES], n=1)
    hint = f" Did you mean {ALIASES.get(close[0], close[0])}:?" if close else ""
    said = f"“{name[:40]}:” is nothing a run is searched by.{hint}"
    raise GrammarError(f"{said} Text with a colon is put in quotes.", at)


def _values(text: str, at: int, name: str) -> tuple[list[tuple[Value, int]], int]:
    """Values with commas between them, each with its place, and where they end."""
    found: list[tuple[Value, int]] = []
    while True:
        if at >= len(text) or text[at].isspace() or text[at] == ",":
            raise GrammarError(f"{name} needs a value after it.", min(at, len(text)))
        value, end = _value(text, at, until=BARE)
        found.append((value, at))
        if text[end : end + 1] != ",":
            return found, end
        at = end + 1


def _value(text: str, at: int, until: re.Pattern[str]) -> tuple[Value, int]:
    if text[at] != '"':
        bare = until.match(text, at)
        word = bare[0] if bare else ""
        return Value(word), at + len(word)
    quoted = QUOTED.match(text, at)
    if quoted is None:
        raise GrammarError("This quote is never closed.", at)
    if not quoted[1]:
        raise GrammarError("Nothing stands between these quotes.", at)
    plain = re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL)
    # quotes that change nothing are not kept
    return Value(plain, "*" in plain or plain[0] in "<>"), quoted.end()


def _checked(name: str, value: Value, at: int) -> list[Value]:
    """The value as it is compared; raises GrammarError for one that cannot be."""
    if Term(name, ()).document:
        _measured(name, NUMBER if value.is_comparison else "", value, at)
        return [value]
    qualifier = QUALIFIERS[name]
    if qualifier.kind == WORD:
        return [Value(one) for one in _words(name, value.text, at)]
    _measured(name, qualifier.kind, value, at)
    text = value.text.lower()
    if name == "root":
        return [Value(YES_NO.get(text, value.text))]
    if name == "run":
        return [Value(text if text.startswith("run_") else f"run_{text}")]
    return [value]


def _measured(name: str, kind: str, value: Value, at: int) -> None:
    """Raises GrammarError for a length, a number or a time that is none."""
    try:
        if kind == SPAN:
            measures.compared(value.text, measures.span)
        elif kind == NUMBER:
            measures.compared(value.text, measures.number, exact=True)
        elif kind == TIME:
            measures.moment(value.text, measures.EPOCH)
    except ValueError as error:
        example = QUALIFIERS[name].example if name in QUALIFIERS else f"{name}:>100"
        raise GrammarError(f"{name}: {error} As in {example}.", at) from None


def _words(name: str, text: str, at: int) -> list[str]:
    word = text.lower()
    if name == "status":
        if found := STATUSES.get(word.replace("_", "-")):
            return sorted(found)
    elif name == "test":
        if word in YES_NO:
            return [YES_NO[word]]
    elif word in QUALIFIERS[name].words:
        return [word]
    words = QUALIFIERS[name].words
    close = get_close_matches(word, words, n=1)
    hint = f"Did you mean {close[0]}?" if close else f"One of {', '.join(words)}."
    raise GrammarError(f"There is no {name} “{text[:40]}”. {hint}", at)
