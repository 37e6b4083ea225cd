"""Bounds of what callers hand in, the same where a task is defined and where a run is made."""

import re
from collections.abc import Sequence

from runs.errors import InvalidOption

MAX_TAGS = 10
#: U+0000 and halves of surrogate pairs: no text column takes them.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
#: Seconds, either way.
MOST_PRIORITY = 2_147_483.0


def text(name: str, value: str | None, longest: int | None = None) -> None:
    """Text both databases can store: no NUL, no half of a surrogate pair, bounded."""
    if value is None:
        return
    if UNSTORABLE.search(value):
        raise InvalidOption(
            name, f"{name} contains a character that cannot be stored; got {value[:40]!r}."
        )
    if longest is not None and len(value) > longest:
        raise InvalidOption(name, f"{name} has at most {longest:,} characters; got {len(value):,}.")


def tags(wanted: Sequence[str] | None, whose: str = "A run") -> None:
    """Raise InvalidOption for too many tags, or one that is no tag."""
    if wanted is None:
        return
    if (count := len(set(wanted))) > MAX_TAGS:
        raise InvalidOption("tags", f"{whose} has at most {MAX_TAGS} tags; got {count}.")
    for tag in wanted:
        text("tags", tag)
        if not 1 <= len(tag) <= 128:
            raise InvalidOption("tags", f"A tag has 1 to 128 characters; got {len(tag)}.")
