"""Facts that tell one run of a task from another: places in its payload, metadata or output."""

from functools import lru_cache

from runs import keypaths
from runs.errors import InvalidOption

SOURCES = ("payload", "metadata", "output")
MOST, LONGEST = 4, 100


# a list asks for the same two places of each of its runs
@lru_cache(maxsize=1000)
def parse(name: str) -> tuple[str, keypaths.Path]:
    """Where `payload.order.id` or `output.total` stands: the document, and the steps in it.

    Raises InvalidOption.
    """
    source = next((one for one in SOURCES if name.startswith((f"{one}.", f"{one}["))), None)
    if source is None or len(name) > LONGEST:
        raise _refusal(name)
    try:
        return source, keypaths.parse("$" + name.removeprefix(source))
    except InvalidOption:
        raise _refusal(name) from None


def label(name: str) -> str:
    """What stands before the value: the last word of its place."""
    steps = parse(name)[1]
    return str(next((one for one in reversed(steps) if isinstance(one, str)), name))


def checked(value: object) -> tuple[str, ...]:
    """One place or several, each once. Raises InvalidOption."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(isinstance(one, str) for one in names):
        raise _refusal(value)
    found = tuple(dict.fromkeys(names))
    for name in found:
        parse(name)
    if len(found) > MOST:
        raise InvalidOption("key_facts", f"key_facts are {MOST} at most, not {len(found)}.")
    return found


def _refusal(got: object) -> InvalidOption:
    return InvalidOption(
        "key_facts",
        "key_facts are places in payload, metadata or output, as payload.order_id or "
        f"output.items[0].sku; got {got!r:.80}.",
    )
