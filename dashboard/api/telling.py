"""More of what the API answers, as types: wait tokens, queues and traces."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import AwareDatetime, Field
from typing_extensions import TypedDict

from dashboard.api.answers import Cursors

TokenId = Annotated[str, Field(pattern=r"^waitpoint_[0-9a-z]{1,26}$")]


class MadeToken(TypedDict):
    """The token that was made, or found by its key; `url` completes it without a key."""

    id: TokenId
    isCached: bool
    url: str
    pageUrl: str
    publicAccessToken: NotRequired[str]


class ListedToken(TypedDict):
    """A wait token without its output; people complete it at `pageUrl`, programs at `url`."""

    id: TokenId
    url: str
    pageUrl: str
    status: Literal["WAITING", "COMPLETED", "TIMED_OUT"]
    tags: list[str]
    createdAt: AwareDatetime
    timeoutAt: NotRequired[AwareDatetime]
    completedAt: NotRequired[AwareDatetime]
    idempotencyKey: NotRequired[str]
    idempotencyKeyExpiresAt: NotRequired[AwareDatetime]


class Token(ListedToken):
    """A wait token; `output` is JSON text, an error where `outputIsError`."""

    output: NotRequired[str]
    outputType: NotRequired[str]
    outputIsError: NotRequired[bool]


class TokenPage(TypedDict):
    """A page of tokens, newest first."""

    data: list[ListedToken]
    pagination: Cursors


class Counts(TypedDict):
    """Of the runs it touches."""

    total: int
    success: int
    failure: int


class BulkAction(TypedDict):
    """Many runs canceled or replayed in the background."""

    id: str
    type: Literal["CANCEL", "REPLAY"]
    status: Literal["PENDING", "COMPLETED", "ABORTED"]
    counts: Counts
    createdAt: AwareDatetime
    name: NotRequired[str]
    completedAt: NotRequired[AwareDatetime]
    problem: NotRequired[str]


class BulkActionPage(TypedDict):
    """A page of them, newest first."""

    data: list[BulkAction]
    pagination: Cursors


class Address(TypedDict):
    """Where it can be downloaded, without a key."""

    presignedUrl: str


class PlacedPacket(TypedDict):
    """Where it may be uploaded, without a key, and how a trigger names it."""

    presignedUrl: str
    storagePath: str


class KeptPacket(TypedDict):
    """What was kept."""

    storagePath: str
    size: int


class Concurrency(TypedDict):
    """The limit that holds, the code's, and the one that was set instead."""

    current: int | None
    base: int | None
    override: int | None
    overriddenAt: AwareDatetime | None
    overriddenBy: str | None


class Queue(TypedDict):
    """A queue; `name` is the task's id where `type` is task."""

    id: str
    name: str
    type: Literal["task", "custom"]
    running: int
    queued: int
    paused: bool
    concurrencyLimit: int | None
    concurrency: Concurrency
    totalLimit: NotRequired[int]
    rateLimit: NotRequired[str]
    overrideReason: NotRequired[str]
    overrideExpiresAt: NotRequired[AwareDatetime]
    pausedAt: NotRequired[AwareDatetime]
    pausedBy: NotRequired[str]
    pausedReason: NotRequired[str]


class Pages(TypedDict):
    """Which page this is."""

    currentPage: int
    totalPages: int
    count: int


class QueuePage(TypedDict):
    """A page of queues, by name."""

    data: list[Queue]
    pagination: Pages


class SpanEvent(TypedDict):
    """Something that happened in a span."""

    name: str
    time: str
    properties: dict[str, Any]


class SpanData(TypedDict):
    """What a span says; `duration` is nanoseconds."""

    message: str
    taskSlug: str
    kind: str
    startTime: AwareDatetime
    properties: dict[str, Any]
    events: list[SpanEvent]
    queueName: str
    machinePreset: str
    duration: int
    isPartial: bool
    isError: bool
    isCancelled: bool
    level: str


class Span(TypedDict):
    """A span with those in it."""

    id: str
    parentId: str | None
    runId: str
    data: SpanData
    children: list["Span"]


class Tree(TypedDict):
    """The trace as a tree."""

    traceId: str
    rootSpan: Span


class Trace(TypedDict):
    """What a run did; `isPartial` says that there is more than is told."""

    trace: Tree
    isPartial: bool


class Style(TypedDict):
    """How a span may be drawn."""

    icon: str
    variant: str | None


class TraceEvent(TypedDict):
    """A span in a list; `startTime` is nanoseconds since 1970, as text."""

    spanId: str
    parentId: str | None
    runId: str
    message: str
    startTime: str
    kind: str
    attemptNumber: int | None
    taskSlug: str
    events: list[SpanEvent]
    properties: dict[str, Any]
    style: Style
    duration: int
    isPartial: bool
    isError: bool
    isCancelled: bool
    level: str


class TraceEvents(TypedDict):
    """The same as a list, each before what is in it."""

    events: list[TraceEvent]
    isPartial: bool
