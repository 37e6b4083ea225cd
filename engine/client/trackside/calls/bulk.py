"""Cancel or replay many runs at once."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from trackside.calls.common import ask, at, cursored, done, given, told
from trackside.steps import Call, Items, Request
from trackside.upkeepmodels import BulkAction

PATH = "/api/v1/bulk-actions"


def create(
    action: Literal["cancel", "replay"],
    *,
    run_ids: Sequence[str] | None = None,
    filter: Mapping[str, Any] | None = None,  # noqa: A002  # the wire's own name
    name: str | None = None,
    order: Literal["oldest", "newest"] | None = None,
    per_minute: float | None = None,
    spread: float | str | None = None,
    canary: int | None = None,
) -> Call[str]:
    """Start it on runs by id or by filter, the oldest first unless said; its id.

    It goes as fast as it can, or touches `per_minute` runs a minute, or all of them evenly over the
    time of `spread`, in seconds or as "2h". The first `canary` replays have to succeed before the
    others are made.
    """
    body = given(
        action=action,
        run_ids=run_ids,
        filter=filter,
        name=name,
        order=order,
        per_minute=per_minute,
        spread=spread,
        canary=canary,
    )
    return told(Request("POST", PATH, body=body), "id")


def retrieve(action_id: str) -> Call[BulkAction]:
    """How far it is."""
    return ask(Request("GET", at(PATH + "/{}", action_id)), BulkAction)


def every(*, limit: int | None = None) -> Items[BulkAction]:
    """All of them, newest first, page after page."""
    return cursored(PATH, {}, BulkAction, limit)


def abort(action_id: str) -> Call[None]:
    """Leave the rest as it is."""
    return done(Request("POST", at(PATH + "/{}/abort", action_id)))
