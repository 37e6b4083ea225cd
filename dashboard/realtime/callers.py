"""Who subscribes, and what they may see."""

import hashlib
from typing import NamedTuple, Protocol

from dashboard.api.errors import ApiError
from dashboard.realtime.asgi import Exchange
from dashboard.realtime.hub import Hub
from dashboard.realtime.work import threaded
from runs.lifecycle import apikeys
from runs.models import Run

Resource = tuple[str, str]


class Caller(Protocol):
    def may(self, action: str, *resources: Resource) -> bool:
        """Whether one of the resources is open to them."""


class Secret(NamedTuple):
    """Who has a secret key may do everything."""

    name: str

    def may(self, action: str, *resources: Resource) -> bool:
        return True


async def identified(exchange: Exchange, hub: Hub) -> Caller:
    """The caller, looked up anew for each request; raises a 401. Many with one token are one look."""
    scheme, _, text = exchange.headers.get("authorization", "").partition(" ")
    bearer = text.strip() if scheme.lower() == "bearer" else ""
    found = None
    if bearer:
        key = hashlib.sha256(bearer.encode()).digest()
        found = await hub.callers.ask(key, lambda: threaded(_identify, bearer))
    if found is None:
        challenge = {"www-authenticate": 'Bearer realm="api"'}
        raise ApiError(401, "Invalid or Missing API key", headers=challenge)
    return found


def _identify(bearer: str) -> Caller | None:
    key = apikeys.verify(bearer)
    return None if key is None else Secret(key.name)


def of_run(run: Run) -> list[Resource]:
    """What a token may name to see a run."""
    batch = [("batch", run.batch_id)] if run.batch_id else []
    tags = [("tags", tag) for tag in run.tag_list]
    return [("runs", run.pk), ("tasks", run.task_id), *tags, *batch]


def demand(caller: Caller, action: str, *resources: Resource) -> None:
    """Raises a 403."""
    if not caller.may(action, *resources):
        raise ApiError(403, "Unauthorized")
