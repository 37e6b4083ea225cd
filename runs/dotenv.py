"""The text of a .env file. Nothing is replaced in values: a `$` is a `$`."""

import re

from runs.errors import InvalidOption

#: A name, and what stands after it: quoted, over several lines if need be, or bare.
LINE = re.compile(
    r"""
    [^\S\n]* (?:export[^\S\n]+)? (?P<name>\w+) [^\S\n]* = [^\S\n]*
    (?: '(?P<single>[^']*)' | "(?P<double>(?:\\.|[^"\\])*)" | `(?P<back>[^`]*)`
      | (?P<bare>[^\n"'`\#][^\n]*|) )
    [^\S\n]* (?:\#[^\n]*)? (?:\n|$)
    """,
    re.VERBOSE | re.ASCII | re.DOTALL,
)
EMPTY = re.compile(r"[^\S\n]*(?:#[^\n]*)?(?:\n|$)")
COMMENT = re.compile(r"\s+#.*", re.DOTALL)
ESCAPE = re.compile(r"\\(.)", re.DOTALL)
ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def parse(text: str) -> dict[str, str]:
    """The variables of the text, the last of each name. Raises InvalidOption, naming the line."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        if (empty := EMPTY.match(text, position)) is not None:
            position = empty.end()
            continue
        line = LINE.match(text, position)
        if line is None:
            number = text.count("\n", 0, position) + 1
            raise InvalidOption("variables", f"Line {number} is not NAME=value.")
        found[line["name"]] = _value(line)
        position = line.end()
    return found


def _value(line: re.Match[str]) -> str:
    for quoted in ("single", "back"):
        if line[quoted] is not None:
            return line[quoted]
    if line["double"] is not None:
        return ESCAPE.sub(lambda one: ESCAPES.get(one[1], one[1]), line["double"])
    return COMMENT.sub("", line["bare"]).strip()
