"""What an endpoint says of itself: the OpenAPI document and the reference page are made from it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: A pydantic model, a TypedDict, or any other type pydantic can describe. A query may also be a
#: dict of names to types, for names that are no identifiers; none of those is required.
Shape = Any
#: By status: the shape of the answer, or for a refusal the sentence that says when it comes.
Answers = Mapping[int, Shape | str]


@dataclass(frozen=True, slots=True)
class Media:
    """A body that is not one JSON document: what it is, and the shape of a line of it."""

    type: str
    shape: Shape = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of an endpoint. Documentation alone: nothing here decides what a request does.

    A body that may be left away is stated as `Shape | None`.
    """

    method: str
    handler: Callable[..., Any]
    #: What a key must have; empty for those that need no key.
    role: str = ""
    status: int = 200
    body: Shape | Media | None = None
    query: Shape | None = None
    answers: Answers = field(default_factory=dict)
    #: Public tokens are admitted too.
    is_public: bool = False

    @property
    def is_keyed(self) -> bool:
        return bool(self.role)

    @property
    def is_documented(self) -> bool:
        """It has a sentence and the shape of what it answers."""
        return bool(self.handler.__doc__) and any(status < 400 for status in self.answers)


def operation(
    method: str,
    handler: Callable[..., Any],
    *,
    role: str,
    public: bool,
    status: int,
    body: Shape | Media | None,
    query: Shape | None,
    answers: Shape | Answers | None,
) -> Operation:
    """`answers` alone is the shape of the good answer; a mapping names others by their status."""
    if answers is None:
        answers = {}
    by_status = answers if isinstance(answers, Mapping) else {status: answers}
    return Operation(method, handler, role, status, body, query, by_status, public)


def operations(view: object) -> list[Operation]:
    """What a view says of the methods it answers; nothing for one that is no endpoint."""
    return list(getattr(view, "operations", []))
