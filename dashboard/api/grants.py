"""Public tokens: the claims clients sign themselves, tokens we sign, and those beside an answer."""

import json
import re
import secrets
import time
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from dashboard.api import access, auth, bodies
from dashboard.api.auth import READ, WRITE
from dashboard.api.endpoint import ApiRequest, endpoint
from dashboard.api.errors import ApiError
from dashboard.api.schemas import Body, Text
from runs import durations
from runs.errors import InvalidOption
from runs.lifecycle import publictokens
from runs.lifecycle.publictokens import MOST_SCOPES
from runs.models import Role
from runs.scopes import Scope

#: Whoever has something to hand out.
ANY = (Role.VIEWER, Role.TRIGGER)
MINUTE, HOUR, DAY = 60, 3600, 86_400
DEFAULT, LONGEST = 15 * MINUTE, 30 * DAY
#: Times as the reference's clients may write them beside ours: "15 minutes", "1 day".
SPAN = re.compile(
    r"(\d{1,9}) ?(s|m|h|d|w)(?:ecs?|econds?|ins?|inutes?|rs?|ours?|ays?|eeks?)?", re.A
)
#: Clients of the reference that run in a browser say so, and cannot sign.
BROWSER = "browser"


class Realtime(Body):
    """What its holder is not shown."""

    skip_columns: list[Text] = []


class NewPublicToken(Body):
    """`expirationTime`: how long, as text, or when, in seconds since 1970."""

    scopes: Annotated[
        list[Annotated[Text, Field(min_length=1, max_length=500)]],
        Field(min_length=1, max_length=MOST_SCOPES),
    ]
    expiration_time: Text | int | None = None
    one_time_use: bool = False
    realtime: Realtime | None = None


class Claims(TypedDict):
    """What stands in a token beside its scopes and times."""

    sub: str
    pub: Literal[True]


class PublicToken(TypedDict):
    """A signed token."""

    token: str


@endpoint("POST", role=ANY, tasks=access.by_handler, answers=Claims)
def claims(request: ApiRequest) -> dict[str, Any]:
    """What a client signs with this key to make a public token."""
    return publictokens.claims(request.caller.key)


@endpoint("POST", role=ANY, tasks=access.by_handler, body=NewPublicToken, answers=PublicToken)
def create(request: ApiRequest) -> dict[str, Any]:
    """A public token of this key, for clients that cannot sign."""
    asked = NewPublicToken.read(bodies.values(request, required=True))
    _check_role(request, asked.scopes)
    more: dict[str, Any] = {}
    if asked.one_time_use:
        more = {"otu": True, "jti": secrets.token_urlsafe(12)}
    if asked.realtime is not None:
        more["realtime"] = {"skipColumns": asked.realtime.skip_columns}
    caller, ends = request.caller, _ends(asked.expiration_time)
    token = publictokens.sign(caller.key, caller.secret, asked.scopes, expires_at=ends, **more)
    if len(token) > publictokens.LONGEST:
        raise ApiError(400, f"The token would be longer than {publictokens.LONGEST:,} characters.")
    return {"token": token}


def for_run(request: ApiRequest, run_id: str) -> None:
    """Headers with a token that reads the run."""
    scopes = [f"{READ}:runs:{run_id}", f"{WRITE}:inputStreams:{run_id}"]
    _hand_out(request, scopes, HOUR)
    _tell(request, publictokens.claims(request.caller.key) | {"scopes": scopes})


def for_batch(request: ApiRequest, batch_id: str) -> None:
    """The same for a batch; clients that sign by themselves add its scopes."""
    scopes = [f"{READ}:batch:{batch_id}"]
    if request.headers.get("x-trigger-client") == BROWSER:
        scopes.append(f"{WRITE}:batch:{batch_id}")
    _hand_out(request, scopes, HOUR)
    _tell(request, publictokens.claims(request.caller.key))


def for_waitpoint(request: ApiRequest, token_id: str) -> None:
    """A header with a token that completes the wait token."""
    _hand_out(request, [f"{WRITE}:waitpoints:{token_id}"], DAY)


def _hand_out(request: ApiRequest, scopes: list[str], seconds: int) -> None:
    caller = request.caller
    request.answer_headers["x-trigger-jwt"] = publictokens.sign(
        caller.key, caller.secret, scopes, expires_at=time.time() + seconds
    )


def _tell(request: ApiRequest, claims: dict[str, Any]) -> None:
    request.answer_headers["x-trigger-jwt-claims"] = json.dumps(claims)


def _check_role(request: ApiRequest, scopes: list[str]) -> None:
    """A token never may what its key may not: better said now than at its first use."""
    for scope in scopes:
        if not request.caller.has(auth.NEEDED.get(Scope.read(scope).action, Role.OPERATOR)):
            raise auth.forbidden(
                f"This key's role is {request.caller.role}: its tokens may not {scope[:60]!r}."
            )


def _ends(asked: str | int | None) -> float:
    """When it expires. Raises a 400."""
    now = time.time()
    ends = (
        now + DEFAULT if asked is None else asked if isinstance(asked, int) else now + _span(asked)
    )
    if not now < ends <= now + LONGEST + MINUTE:
        raise ApiError(400, "expirationTime must be in the future, and within 30 days.")
    return ends


def _span(text: str) -> float:
    if found := SPAN.fullmatch(text.strip()):
        text = f"{found[1]}{found[2]}"
    try:
        return durations.seconds(text, "expirationTime")
    except InvalidOption:
        raise ApiError(
            400, "expirationTime is a time like “15m” or “1h”, or seconds since 1970."
        ) from None
