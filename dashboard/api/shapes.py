"""Bodies and queries (names to types, none required) for the OpenAPI document, where views read them piece by piece."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field, JsonValue
from typing_extensions import TypedDict

from dashboard.api import schemas
from dashboard.api.schemas import Body
from runs.lifecycle.checks import MACHINES
from runs.states import RunStatus, TokenStatus

#: What documents a name that stands in the reference's bodies and does nothing here.
Ignored = Annotated[Any, Field(description="Accepted and ignored.")]
Kind = Literal["application/json", "application/super+json", "text/plain", "application/store"]


class TriggerOptions(schemas.Options):
    """How and when the run starts."""

    payload_type: Kind | None = Field(None, description="How `payload` is encoded; see Payloads.")
    payload_size: Ignored = None
    metadata_type: Ignored = None
    region: Ignored = None
    bulk_action_id: Ignored = None
    resume_parent_on_completion: Ignored = None


class Trigger(Body):
    """What a run is made of."""

    payload: JsonValue = Field(None, description="Any JSON; none where it is absent.")
    options: TriggerOptions | None = None
    context: Ignored = None


class Item(Body):
    """One line: one run of a batch."""

    index: int = Field(ge=0, description="Its place in the batch, from 0.")
    task: str = Field(min_length=1)
    payload: JsonValue = None
    options: TriggerOptions | None = None


class Replay(TriggerOptions):
    """What is different from the run that is replayed; the rest is as it was."""

    payload: JsonValue = None
    version: str | None = None


class Operation(TypedDict):
    """One change of metadata."""

    type: Literal["set", "delete", "append", "remove", "increment", "update"]
    key: NotRequired[str]
    value: NotRequired[JsonValue]


class MetadataChanges(Body):
    """A whole new object, or operations; with operations `metadata` is ignored."""

    metadata: dict[str, Any] | None = None
    operations: Annotated[list[Operation], Field(max_length=1000)] | None = None
    parent_operations: Annotated[list[Operation], Field(max_length=1000)] = []
    root_operations: Annotated[list[Operation], Field(max_length=1000)] = []


class Data(Body):
    """What the waiting run gets."""

    data: JsonValue = None


Size = Annotated[int, Field(ge=1, le=100, description="25 by default.")]
Commas = "Several, joined by commas, match any of them."


def _text(description: str, **facts: Any) -> Any:
    return Annotated[str, Field(description=description, **facts)]


def _members(values: list[str]) -> str:
    one = "|".join(values)
    return f"^({one})(,({one}))*$"


Paging: dict[str, Any] = {
    "page[size]": Size,
    "page[after]": _text("`pagination.next` of the page before."),
    "page[before]": _text("`pagination.previous` of the page after."),
}
Times: dict[str, Any] = {
    "filter[createdAt][from]": _text("Milliseconds since 1970.", pattern="^[0-9]{1,15}$"),
    "filter[createdAt][to]": _text("Milliseconds since 1970.", pattern="^[0-9]{1,15}$"),
    "filter[createdAt][period]": _text("A duration up to now.", examples=["1d"]),
}
RunFilters: dict[str, Any] = {
    "filter[status]": _text(
        Commas, pattern=_members(RunStatus.values), examples=["FAILED,CRASHED"]
    ),
    "filter[taskIdentifier]": _text(f"Ids of tasks. {Commas}"),
    "filter[version]": _text(Commas),
    "filter[tag]": _text(Commas),
    "filter[queue]": _text(f"`task/<id>` for a task's own, else the name. {Commas}"),
    "filter[machine]": _text(Commas, pattern=_members(list(MACHINES)), examples=["small-1x"]),
    "filter[batch]": _text(f"Ids of batches. {Commas}"),
    "filter[schedule]": _text(f"Ids of schedules. {Commas}"),
    "filter[query]": _text(
        "A search in the language of the dashboard; it takes the place of the default window"
        " where it says `after:` or `before:`.",
        examples=["error:Timeout dur:>30s -tag:internal"],
    ),
    "filter[error]": _text(f"Ids of errors that an attempt failed by. {Commas}"),
    "filter[isTest]": Literal["true", "false"],
    **Times,
    **Paging,
}
TokenFilters: dict[str, Any] = {
    "filter[status]": _text(Commas, pattern=_members(TokenStatus.values)),
    "filter[idempotencyKey]": _text("The key it was made with."),
    "filter[tags]": _text(Commas),
    **Times,
    **Paging,
}

ErrorFilters: dict[str, Any] = {
    "filter[status]": Literal["unresolved", "resolved", "ignored"],
    "filter[taskIdentifier]": _text("The id of a task."),
    "filter[version]": _text("A version it failed in."),
    "filter[search]": _text("Words in its type, message or place in the code."),
    "filter[period]": _text(
        "It failed within this duration up to now; 7d by default.", examples=["1d"]
    ),
    "filter[from]": _text("Milliseconds since 1970.", pattern="^[0-9]{1,15}$"),
    "filter[to]": _text("Milliseconds since 1970.", pattern="^[0-9]{1,15}$"),
    **Paging,
}


class Numbered(TypedDict):
    """Pages by number."""

    page: NotRequired[Annotated[int, Field(ge=1, le=100_000)]]
    perPage: NotRequired[
        Annotated[int, Field(ge=1, le=100_000, description="25 by default; above 100 it is 100.")]
    ]
