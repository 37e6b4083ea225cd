"""Two stored documents as one difference: byte for byte what is stored, cut where it is too much."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field

from dashboard import sight
from dashboard.pages import documents

#: Characters of a document that is compared line by line, and lines of what differs in it.
LARGEST, MOST_LINES = 200_000, 2000
#: Unchanged lines around a change; characters around the first difference of large documents.
AROUND, EXCERPT = 3, 60
WIDEST = 2000
#: Lines of a document that one side alone has.
SHOWN = 60


@dataclass(frozen=True, slots=True)
class Line:
    """One line: "same", "gone" (of a alone), "new" (of b alone) or "skip" (unchanged lines left out)."""

    kind: str
    text: str
    a: int = 0
    b: int = 0

    @property
    def sign(self) -> str:
        return {"gone": "−", "new": "+"}.get(self.kind, "")


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of one document; `said` is a sentence where there is nothing to show line by line."""

    title: str
    said: str
    lines: list[Line] = field(default_factory=list)
    differs: bool = False
    #: Masked values are compared as they are shown.
    masked: bool = False

    @property
    def gone(self) -> int:
        return sum(line.kind == "gone" for line in self.lines)

    @property
    def new(self) -> int:
        return sum(line.kind == "new" for line in self.lines)


def difference(title: str, source: str, a: str | None, b: str | None) -> Difference | None:
    """Of a column of two runs; None where neither has one."""
    if a is None and b is None:
        return None
    if sight.is_hidden():
        return Difference(title, sight.HIDDEN)
    one, other = (None if text is None else sight.document(text, source) for text in (a, b))
    masked = (one, other) != (a, b)
    if one == other:
        same = "The same, byte for byte." if not masked else "The same, as far as it is shown."
        return Difference(title, f"{same} {len(one or ''):,} characters.", masked=masked)
    found = _compared(title, one, other)
    return Difference(title, found.said, found.lines, True, masked)


def _compared(title: str, a: str | None, b: str | None) -> Difference:
    if a is None or b is None:
        return _one_sided(title, a, b)
    if max(len(a), len(b)) > LARGEST:
        return Difference(title, f"Too large to show line by line. {_first(a, b)}")
    one, other = (documents.lines(text) for text in (a, b))
    if one == other:
        return Difference(title, "They differ in white space alone.")
    lines = list(_lines(one, other))
    if not lines:
        return Difference(title, f"Too much differs to show line by line. {_first(a, b)}")
    return Difference(title, "", lines)


def _one_sided(title: str, a: str | None, b: str | None) -> Difference:
    is_new = a is None
    said = "Only the right one has it." if is_new else "Only the left one has it."
    every = documents.lines((b if is_new else a) or "")
    if len(every) > SHOWN:
        said += f" These are the first {SHOWN} of its {len(every):,} lines."
    lines = enumerate(every[:SHOWN], 1)
    if is_new:
        return Difference(title, said, [Line("new", line[:WIDEST], b=n) for n, line in lines])
    return Difference(title, said, [Line("gone", line[:WIDEST], a=n) for n, line in lines])


def _lines(a: list[str], b: list[str]) -> Iterator[Line]:
    """Nothing where what differs is too long to be compared in time."""
    head = next(
        (n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
    rest_a, rest_b = a[head:], b[head:]
    tail = _tail(rest_a, rest_b)
    if max(len(rest_a), len(rest_b)) - tail > MOST_LINES:
        return
    # what is the same at both ends need not be searched
    matcher = difflib.SequenceMatcher(
        None, rest_a[: len(rest_a) - tail], rest_b[: len(rest_b) - tail]
    )
    codes = [("equal", 0, head, 0, head)] if head else []
    codes += [
        (tag, i + head, j + head, k + head, m + head) for tag, i, j, k, m in matcher.get_opcodes()
    ]
    if tail:
        codes.append(("equal", len(a) - tail, len(a), len(b) - tail, len(b)))
    for at, (tag, i, j, k, m) in enumerate(codes):
        if tag == "equal":
            yield from _equal(a[i:j], i, k, at == 0, at == len(codes) - 1)
            continue
        yield from (Line("gone", a[n][:WIDEST], a=n + 1) for n in range(i, j))
        yield from (Line("new", b[n][:WIDEST], b=n + 1) for n in range(k, m))


def _tail(a: list[str], b: list[str]) -> int:
    pairs = zip(reversed(a), reversed(b), strict=False)
    return next((n for n, (x, y) in enumerate(pairs) if x != y), min(len(a), len(b)))


def _equal(lines: list[str], i: int, k: int, is_first: bool, is_last: bool) -> Iterator[Line]:
    """Unchanged lines, those far from a change left out."""
    before, after = 0 if is_first else AROUND, 0 if is_last else AROUND
    hidden = len(lines) - before - after
    for n, line in enumerate(lines):
        if n < before or n >= len(lines) - after or hidden <= 1:
            yield Line("same", line[:WIDEST], i + n + 1, k + n + 1)
        elif n == before:
            yield Line("skip", f"{hidden:,} unchanged lines")


def _first(a: str, b: str) -> str:
    """Where they part."""
    pairs = enumerate(zip(a, b, strict=False))
    at = next((n for n, (x, y) in pairs if x != y), min(len(a), len(b)))
    start = max(0, at - EXCERPT)
    return (
        f"{len(a):,} and {len(b):,} characters; the first difference is at character {at + 1:,}: "
        f"…{a[start : at + EXCERPT]}… and …{b[start : at + EXCERPT]}…"
    )
