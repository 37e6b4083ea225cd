"""Colours of terminals in log lines: read, mapped to the palette, never passed on."""

import re
from collections.abc import Iterator
from functools import lru_cache
from html import escape

from django.utils.safestring import SafeString

#: A colour or style, any other control sequence, an operating-system command.
ESCAPE = re.compile(
    r"\x1b\[([\d;:]*)m|\x1b\[[\d;:?<=>!]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.?"
)
#: Foregrounds 30 to 37, and 90 to 97 alike.
COLOURS = ("dim", "bad", "ok", "warn", "active", "parked", "accent", "text")
STYLES = {1: "bold", 2: "faint", 3: "italic", 4: "line", 9: "struck"}
ENDS = {21: {1}, 22: {1, 2}, 23: {3}, 24: {4}, 29: {9}}


def shown(text: str) -> SafeString:
    """The text with its colours as classes."""
    return SafeString("".join(_parts(text)) if "\x1b" in text else escape(text))


def plain(text: str) -> str:
    """The text without them."""
    return ESCAPE.sub("", text) if "\x1b" in text else text


def _parts(text: str) -> Iterator[str]:
    colour, styles, at = "", frozenset[int](), 0
    for found in ESCAPE.finditer(text):
        yield _part(text[at : found.start()], colour, styles)
        at = found.end()
        if found[1] is not None:
            colour, styles = _after(found[1], colour, styles)
    yield _part(text[at:], colour, styles)


def _part(text: str, colour: str, styles: frozenset[int]) -> str:
    if not text:
        return ""
    if not (colour or styles):
        return escape(text)
    names = [f"a-{colour}"] if colour else []
    names += [f"a-{STYLES[number]}" for number in sorted(styles)]
    return f'<span class="{" ".join(names)}">{escape(text)}</span>'


# the lines of a log have the same few again and again
@lru_cache(maxsize=1000)
def _after(codes: str, colour: str, before: frozenset[int]) -> tuple[str, frozenset[int]]:
    """What holds after a sequence."""
    numbers = [int(part) if part else 0 for part in re.split("[;:]", codes[:100])]
    styles = set(before)
    place = 0
    while place < len(numbers):
        number = numbers[place]
        if number in (38, 48):
            chosen, place = _extended(numbers, place)
            colour = chosen if number == 38 else colour
        elif number == 0:
            colour, styles = "", set()
        elif number in STYLES:
            styles.add(number)
        elif number in ENDS:
            styles -= ENDS[number]
        else:
            colour = _named(number, colour)
        place += 1
    return colour, frozenset(styles)


def _named(number: int, colour: str) -> str:
    if 30 <= number <= 37 or 90 <= number <= 97:
        return COLOURS[number % 10]
    return "" if number == 39 else colour


def _extended(numbers: list[int], place: int) -> tuple[str, int]:
    """One of 256 colours, or any: the sixteen first have names, the others are as the text."""
    kind = numbers[place + 1] if place + 1 < len(numbers) else 0
    if kind == 5:
        index = numbers[place + 2] if place + 2 < len(numbers) else 99
        return (COLOURS[index % 8] if index < 16 else ""), place + 2
    return "", place + (4 if kind == 2 else 1)
