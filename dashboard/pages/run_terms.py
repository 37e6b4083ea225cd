"""Between the fields of the list's address and the terms of its search box."""

from collections.abc import Iterable, Mapping

from runs.reads.grammar import Term, Value

#: Fields with several values; any of them matches.
SEVERAL = ("status", "task", "queue", "tag", "run")
#: Filters with one value, and what their chips say.
SINGLE = {
    "test": "test runs",
    "parent": "parent",
    "origin": "replays of",
    "schedule": "schedule",
    "batch": "batch",
    "machine": "machine",
    "version": "version",
    "error": "error",
}
#: What the box calls a field, where that is something else.
SPOKEN = {"error": "group"}
_FIELDS = {spoken: name for name, spoken in SPOKEN.items()}
TESTS = {"1": "only", "0": "without"}
_TESTS = {"1": "yes", "0": "no"}
Fields = dict[str, tuple[str, ...]]


def fold(terms: Iterable[Term], fields: Mapping[str, tuple[str, ...]]) -> tuple[Fields, list[Term]]:
    """`fields` with what terms say that a field can say too, and the other terms."""
    found, more = dict(fields), []
    for term in terms:
        name = "" if term.name in SPOKEN else _FIELDS.get(term.name, term.name)
        if not _fits(term, name, found):
            more.append(term)
            continue
        texts = term.texts
        if term.name == "test":
            texts = tuple(key for key, word in _TESTS.items() if word == texts[0])
        found[name] = tuple(dict.fromkeys((*found.get(name, ()), *texts)))
    return found, more


def unfold(fields: Mapping[str, tuple[str, ...]]) -> list[Term]:
    """The terms that say the same as `fields`."""
    return [
        Term(
            SPOKEN.get(name, name),
            tuple(_value(_TESTS.get(text, text) if name == "test" else text) for text in texts),
        )
        for name, texts in fields.items()
        if texts
    ]


def without(terms: tuple[Term, ...], gone: Term, value: Value) -> tuple[Term, ...]:
    """`terms`, where `gone` has lost `value`."""
    left = tuple(one for one in gone.values if one != value)
    rest = [Term(gone.name, left, gone.negated)] if left else []
    return tuple(part for term in terms for part in (rest if term is gone else [term]))


def label(term: Term) -> str:
    """What a chip of the term says before its value."""
    words = {"": "task has", "dur": "duration", "by": "triggered by"}.get(term.name, term.name)
    return f"not {words}" if term.negated else words


def _fits(term: Term, name: str, fields: Fields) -> bool:
    if term.negated or any(value.is_pattern or value.literal for value in term.values):
        return False
    if name in SINGLE:
        return len(term.values) == 1 and not fields.get(name)
    # the address has several tags and ids between commas
    return name in SEVERAL and not any("," in text for text in term.texts)


def _value(text: str) -> Value:
    return Value(text, literal="*" in text)
