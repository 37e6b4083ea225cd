"""What the API answers, as types. A member that may be missing is NotRequired: absent, never null.

Nothing checks answers against these while they are sent; the tests do.
"""

from typing import Annotated, Literal, NotRequired

from pydantic import AwareDatetime, Field, JsonValue
from typing_extensions import TypedDict

from runs.states import RunStatus

RunId = Annotated[
    str, Field(pattern=r"^run_[0-9a-z]{1,26}$", examples=["run_01k5x0q7zr4e8w2j6m9t3b1c5d"])
]
BatchId = Annotated[str, Field(pattern=r"^batch_[0-9a-z]{1,34}$")]
Object = dict[str, JsonValue]
Function = Literal["trigger", "triggerAndWait", "batchTrigger", "batchTriggerAndWait"]
BatchStatus = Literal["PENDING", "PROCESSING", "COMPLETED", "PARTIAL_FAILED", "ABORTED"]


class Id(TypedDict):
    """What was acted on."""

    id: str


class Message(TypedDict):
    """What was done, for people."""

    message: str


class Success(TypedDict):
    """It is done."""

    success: Literal[True]


class Triggered(TypedDict):
    """The run that was made, or found by its key."""

    id: RunId
    isCached: bool
    isSkipped: NotRequired[Literal[True]]


class RunQueue(TypedDict):
    """The queue of a run, `task/<id>` for a task's own."""

    name: str


class Common(TypedDict):
    """What is told of every run."""

    id: RunId
    status: RunStatus
    taskIdentifier: str
    isQueued: bool
    isExecuting: bool
    isWaiting: bool
    isCompleted: bool
    isSuccess: bool
    isFailed: bool
    isCancelled: bool
    isTest: bool
    createdAt: AwareDatetime
    updatedAt: AwareDatetime
    tags: list[str]
    costInCents: int
    baseCostInCents: int
    #: Milliseconds it executed, waits left out.
    durationMs: int
    queue: RunQueue
    idempotencyKey: NotRequired[str]
    concurrencyKey: NotRequired[str]
    version: NotRequired[str]
    startedAt: NotRequired[AwareDatetime]
    finishedAt: NotRequired[AwareDatetime]
    delayedUntil: NotRequired[AwareDatetime]
    ttl: NotRequired[str]
    expiredAt: NotRequired[AwareDatetime]
    metadata: NotRequired[Object]


class Environment(TypedDict):
    """Where it ran: a deployment is one environment."""

    id: str
    name: str


class ListedRun(Common):
    """A run in a list: without payload and output."""

    env: Environment


class RelatedRun(Common):
    """A run beside another."""

    depth: int
    triggerFunction: Function


class Relations(TypedDict):
    """The runs it belongs to, and the first 100 it started."""

    root: NotRequired[RelatedRun]
    parent: NotRequired[RelatedRun]
    children: NotRequired[list[RelatedRun]]


class RunError(TypedDict):
    """Why a run did not complete."""

    message: str
    name: NotRequired[str]
    stackTrace: NotRequired[str]


class Run(RelatedRun):
    """A run with payload, output, error and relations."""

    relatedRuns: Relations
    attemptCount: int
    batchId: NotRequired[BatchId]
    payload: NotRequired[JsonValue]
    output: NotRequired[JsonValue]
    payloadPresignedUrl: NotRequired[str]
    outputPresignedUrl: NotRequired[str]
    error: NotRequired[RunError]


class Cursors(TypedDict):
    """Cursors of the pages beside this one; none where there is no such page."""

    next: NotRequired[str]
    previous: NotRequired[str]


class RunPage(TypedDict):
    """A page of runs, newest first."""

    data: list[ListedRun]
    pagination: Cursors


class Metadata(TypedDict):
    """The metadata as it is now."""

    metadata: Object


class BuiltInError(TypedDict):
    """An exception that ended a run."""

    type: Literal["BUILT_IN_ERROR"]
    name: str
    message: str
    stackTrace: str


class StringError(TypedDict):
    """A reason that ended a run, where no exception did."""

    type: Literal["STRING_ERROR"]
    raw: str


class GoodResult(TypedDict):
    """The end of a run that completed; `output` is JSON text."""

    ok: Literal[True]
    id: RunId
    taskIdentifier: str
    output: NotRequired[str]
    outputType: str


class BadResult(TypedDict):
    """The end of a run that did not."""

    ok: Literal[False]
    id: RunId
    taskIdentifier: str
    error: BuiltInError | StringError


Result = GoodResult | BadResult


class OpenedBatch(TypedDict):
    """The batch that was opened, or found by its key."""

    id: BatchId
    runCount: int
    isCached: bool
    idempotencyKey: NotRequired[str]


class AddedItems(TypedDict):
    """How many items came; the two counts while some are missing."""

    id: BatchId
    itemsAccepted: int
    itemsDeduplicated: int
    sealed: bool
    enqueuedCount: NotRequired[int]
    expectedCount: NotRequired[int]


class ItemProblem(TypedDict):
    """An item no run could be made of."""

    index: int
    taskIdentifier: str
    error: str
    errorCode: NotRequired[str]


class Processing(TypedDict):
    """What became of the items."""

    completedAt: NotRequired[AwareDatetime]
    errors: list[ItemProblem]


class Batch(TypedDict):
    """A batch with the ids of its runs, in the order of its items."""

    id: BatchId
    status: BatchStatus
    createdAt: AwareDatetime
    updatedAt: AwareDatetime
    runCount: int
    runs: list[RunId]
    successfulRunCount: int
    failedRunCount: int
    processing: Processing
    idempotencyKey: NotRequired[str]


class BatchResults(TypedDict):
    """The ends of the runs that have ended."""

    id: BatchId
    items: list[Result]


class Challenge(TypedDict):
    """What a service wants to hear back when an address is entered there."""

    challenge: str
