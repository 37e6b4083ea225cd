"""Options nobody knows: refused by name, with those there are, and with the one that was meant."""

import inspect
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import wraps
from typing import ParamSpec, TypeVar

from pydantic.alias_generators import to_snake

from runs.errors import InvalidOption

P = ParamSpec("P")
R = TypeVar("R")
#: What other engines say, and what may be meant by it.
MEANT = {
    "cron": ("schedule",),
    "json_schema": ("schema",),
    "name": ("id",),
    "retries": ("retry", "max_attempts"),
    "max_retries": ("retry", "max_attempts"),
    "timeout": ("max_duration",),
    "time_limit": ("max_duration",),
    "concurrency_limit": ("queue",),
    "rate_limit": ("queue",),
}


class UnknownOption(InvalidOption, TypeError):
    """There is no such option."""


def refuse_unknown(
    given: Iterable[object], known: Iterable[str], whose: str, option: str = ""
) -> None:
    """Raise UnknownOption for the first name that is not known; `option` is what they are parts of."""
    names = sorted(known)
    for name in sorted(map(str, given)):
        if name not in names:
            meant = meant_by(name, names)
            raise UnknownOption(
                option or name,
                f"{whose} has no option “{name}”.{meant} Options: {', '.join(names)}.",
            )


def meant_by(name: str, known: list[str]) -> str:
    """A guess, as a sentence; empty for none."""
    snake = name.lower() if name.isupper() else to_snake(name)
    words = {word.lower(): word for word in known}
    wanted = [word for word in (snake, *MEANT.get(snake, ())) if word in words]
    near = wanted or get_close_matches(snake, words, 1, 0.75)
    return f" Do you mean “{words[near[0]]}”?" if near else ""


def only_known(function: Callable[P, R]) -> Callable[P, R]:
    """A function whose unknown keyword arguments are refused as options are."""
    known = {
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is not parameter.POSITIONAL_ONLY
    }

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        refuse_unknown(kwargs, known, f"{function.__name__}(...)")
        return function(*args, **kwargs)

    return checked
