"""A JSON document as nested parts that open and close, each with an address of its own."""

from collections.abc import Iterator

from django.utils.html import escape
from django.utils.safestring import SafeString

from dashboard import presenters
from dashboard.pages import json_parts
from dashboard.pages.json_parts import Part, TooMany

#: Characters of a string that are shown at once.
CLIP = 300
COLOURS = {"str": "j-str", "num": "j-num", "word": "j-word"}


def drawn(text: str, source: str) -> SafeString | None:
    """The tree of a stored document; None where it is too large for one."""
    try:
        root = json_parts.parsed(text)
    except TooMany:
        return None
    if not root.is_open:
        return SafeString(f'<p class="jt">{_scalar(root)}</p>')
    inner = "".join(_members(root, source, source))
    return SafeString(f'<p class="jc">{_sized(root)}</p><ul class="jt">{inner}</ul>')


def _members(part: Part, fragment: str, path: str) -> Iterator[str]:
    for place, written, name, value in json_parts.paths(fragment, path, part):
        key = escape(name) if name else place.rpartition(".")[2]
        anchor = f'<a class="{"j-key" if name else "j-index"}" href="#{escape(place)}">{key}</a>'
        start = f'<li id="{escape(place)}" data-path="{escape(written)}">'
        if value.is_open and value.members:
            inner = "".join(_members(value, place, written))
            head = f'{anchor}: <span class="jc">{_sized(value)}</span>'
            sign = '<summary class="jv" aria-label="What is in it"></summary>'
            yield f"{start}{head}<details>{sign}<ul>{inner}</ul></details></li>"
        else:
            yield f"{start}{anchor}: {_scalar(value)}</li>"


def _sized(part: Part) -> str:
    """How much is in it."""
    count = len(part.members) or ""
    if part.kind == "object":
        return f"{{{count}}}"
    return f"[{count}]"


def _scalar(part: Part) -> str:
    if part.is_open:
        return (
            '<span class="jc">{}</span>' if part.kind == "object" else '<span class="jc">[]</span>'
        )
    colour, raw = COLOURS[part.kind], part.raw
    if len(raw) <= CLIP:
        return f'<span class="{colour}">{_plain(raw)}</span>'
    more = f"show {presenters.size_text(len(raw))}"
    return (
        f'<span class="{colour}">{_plain(raw[:CLIP])}</span><details class="jm"><summary>{more}'
        f'</summary><span class="{colour}">{_plain(raw[CLIP:])}</span></details>'
    )


def _plain(text: str) -> str:
    # a parser turns a raw carriage return into a line feed; the entity survives
    return escape(text).replace("\r", "&#13;")
