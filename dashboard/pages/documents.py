"""JSON documents on screen: as stored, character by character, coloured while that is cheap."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from dashboard import sight

#: Above this a document is shown in one colour; above CLIP only its ends are.
HIGHLIGHT = 64 * 1024
CLIP = 1_000_000
ENDS = 50_000

TOKEN = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*+"(?=\s*:))|(?P<str>"(?:[^"\\]|\\.)*+")'
    r"|(?P<num>-?\d[\d.eE+-]*)|(?P<word>true|false|null)|(?P<mark>[\[\]{},:])|(?P<space>\s+)|.",
    re.DOTALL,
)
COLOURED = ("key", "str", "num", "word")


@dataclass(frozen=True, slots=True)
class Document:
    """A stored document: `html` is its text, `clipped` how many characters the middle lost."""

    html: SafeString
    size: int
    clipped: int = 0
    tail: str = ""
    #: Whether nothing of it is shown, and whether some values are masked.
    hidden: bool = False
    redacted: bool = False


def show(
    text: str, source: str = "", *, formatted: bool = False, most: int | None = None
) -> Document:
    """The stored `text` of the column `source` as the reader may see it.

    `formatted` adds line breaks between tokens and changes nothing else; `most` cuts it there.
    """
    if sight.is_hidden():
        return Document(escape(sight.HIDDEN), _bytes(text), hidden=True)
    shown = sight.document(text, source)
    document = _shown(shown if most is None else shortened(shown, most), formatted)
    return replace(document, redacted=shown is not text)


def shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def _shown(text: str, formatted: bool) -> Document:
    if formatted and len(text) <= CLIP:
        text = "".join(_indented(text))
    if len(text) > CLIP:
        head, tail = _plain(text[:ENDS]), _plain(text[-ENDS:])
        return Document(head, _bytes(text), len(text) - 2 * ENDS, tail)
    html = _coloured(text) if len(text) <= HIGHLIGHT else _plain(text)
    return Document(html, _bytes(text))


def text(text: str, source: str = "") -> str:
    """The stored `text` of the column `source` as the reader may see it."""
    return sight.HIDDEN if sight.is_hidden() else sight.document(text, source)


def coloured(text: str) -> Document:
    """JSON text that may be shown, in colours."""
    return Document(_coloured(text), _bytes(text))


def plain(text: str) -> Document:
    """Text that is no JSON, and may be shown."""
    return Document(_plain(text), _bytes(text))


def lines(text: str) -> list[str]:
    """`text` with one member a line, as the formatted view has it."""
    return "".join(_indented(text)).split("\n")


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="replace"))


def _plain(text: str) -> SafeString:
    # a parser turns a raw carriage return into a line feed; the entity survives
    return SafeString(escape(text).replace("\r", "&#13;"))


def _coloured(text: str) -> SafeString:
    parts = []
    for token in TOKEN.finditer(text):
        kind = token.lastgroup or ""
        part = _plain(token[0])
        parts.append(f'<span class="j-{kind}">{part}</span>' if kind in COLOURED else part)
    return mark_safe("".join(parts))  # noqa: S308  every part went through _plain


def _indented(text: str) -> Iterator[str]:
    """The tokens as written, one member a line."""
    depth, opened = 0, False
    for token in TOKEN.finditer(text):
        part = token[0]
        if token.lastgroup == "space":
            continue
        closing = part in "]}"
        depth -= closing
        if opened is not closing and (opened or closing):
            yield "\n" + "  " * depth
        yield _spaced(part, depth)
        opened = part in "[{"
        depth += opened


def _spaced(part: str, depth: int) -> str:
    if part == ",":
        return ",\n" + "  " * depth
    return ": " if part == ":" else part
