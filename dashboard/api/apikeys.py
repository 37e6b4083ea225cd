"""API keys over the API: list, make, revoke. For keys of the role admin."""

from datetime import timedelta
from typing import Annotated, Any, NotRequired

from django.utils import timezone
from pydantic import AwareDatetime, BeforeValidator, Field
from typing_extensions import TypedDict

from dashboard.api import bodies, objects, offsets, queries, shapes, telling
from dashboard.api.endpoint import ApiRequest, endpoint, methods
from dashboard.api.errors import ApiError
from dashboard.api.schemas import Body, Text, listed
from runs import durations
from runs.errors import InvalidOption
from runs.lifecycle import apikeys
from runs.models import ApiKey, Role

Tasks = Annotated[
    list[Text],
    BeforeValidator(listed, json_schema_input_type=str | list[str]),
    Field(max_length=10),
]


class NewApiKey(Body):
    """`expiresIn` is a duration; without it the key does not expire."""

    name: Annotated[Text, Field(min_length=1, max_length=100)]
    role: Text = Role.ADMIN.value
    tasks: Tasks = []
    expires_in: int | float | Text | None = None


class Key(TypedDict):
    """A key without its text, of which `prefix` is the beginning."""

    name: str
    prefix: str
    role: Role
    tasks: list[str]
    isActive: bool
    createdAt: AwareDatetime
    createdBy: NotRequired[str]
    expiresAt: NotRequired[AwareDatetime]
    lastUsedAt: NotRequired[AwareDatetime]
    revokedAt: NotRequired[AwareDatetime]


class MadeKey(Key):
    """A new key; its text is told this once."""

    key: str


class KeyPage(TypedDict):
    """A page of keys, by name."""

    data: list[Key]
    pagination: telling.Pages


@endpoint("GET", role=Role.ADMIN, query=shapes.Numbered, answers=KeyPage)
def _index(request: ApiRequest) -> dict[str, Any]:
    """A page of keys, by name."""
    asked = offsets.page(queries.values(request.GET, offsets.PARAMETERS))
    return offsets.paged(ApiKey.objects.order_by("name", "-pk"), asked, _told)


@endpoint("POST", role=Role.ADMIN, body=NewApiKey, answers=MadeKey)
def _create(request: ApiRequest) -> dict[str, Any]:
    """Make a key. Its text is in this answer, and nowhere else."""
    asked = NewApiKey.read(bodies.values(request, required=True))
    ends = None
    if asked.expires_in is not None:
        seconds = durations.seconds(asked.expires_in, "expiresIn")
        try:
            ends = timezone.now() + timedelta(seconds=seconds)
        except OverflowError:
            raise InvalidOption("expiresIn", "expiresIn must be within 100 years.") from None
    row, text = apikeys.create(
        asked.name, actor=request.actor, role=asked.role, tasks=asked.tasks, expires_at=ends
    )
    return {**_told(row), "key": text}


collection = methods(GET=_index, POST=_create)


@endpoint("POST", role=Role.ADMIN, answers=Key)
def revoke(request: ApiRequest, name: str) -> dict[str, Any]:
    """Refuse a key from now on, with every public token it signed."""
    if "\x00" in name:
        raise ApiError(404, "There is no such API key.", retry=False)
    return _told(apikeys.revoke(name, actor=request.actor))


def _told(key: ApiKey) -> dict[str, Any]:
    return {
        "name": key.name,
        "prefix": key.prefix,
        "role": key.role,
        "tasks": key.task_list,
        "isActive": key.is_live(timezone.now()),
        "createdAt": objects.time(key.created_at),
        **objects.present(
            createdBy=key.created_by or None,
            expiresAt=objects.time(key.expires_at),
            lastUsedAt=objects.time(key.last_used_at),
            revokedAt=objects.time(key.revoked_at),
        ),
    }
