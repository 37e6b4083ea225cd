"""What Trackside answers. A member the server left out is None; unknown members are kept."""

from datetime import datetime
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from trackside.errors import InvalidAnswer
from trackside.steps import Answer

FINAL = {"COMPLETED", "CANCELED", "FAILED", "CRASHED", "SYSTEM_FAILURE", "EXPIRED", "TIMED_OUT"}


class Model(BaseModel):
    """Snake case here, camel case on the wire."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="allow", frozen=True
    )


M = TypeVar("M", bound=Model)


def read(answer: Answer, model: type[M]) -> M:
    """The answer as a `model`. Raises InvalidAnswer."""
    return shaped(answer.json(), model)


def shaped(value: Any, model: type[M]) -> M:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise InvalidAnswer(
            f"The answer is no {model.__name__}: {where}: {first['msg']}."
        ) from None


class Handle(Model):
    """A run that was made, or found by its idempotency key."""

    id: str
    is_cached: bool = False
    #: The task's overlap policy made none: this one is still open.
    is_skipped: bool = False
    #: For a browser, to follow this run.
    public_access_token: str | None = Field(None, repr=False)


class RunError(Model):
    message: str
    name: str | None = None
    stack_trace: str | None = None


class RunFacts(Model):
    """What is told of every run."""

    id: str
    status: str
    task_identifier: str
    is_queued: bool = False
    is_executing: bool = False
    is_waiting: bool = False
    is_completed: bool = False
    is_success: bool = False
    is_failed: bool = False
    is_cancelled: bool = False
    is_test: bool = False
    created_at: datetime
    updated_at: datetime
    tags: list[str] = []
    duration_ms: float = 0
    idempotency_key: str | None = None
    concurrency_key: str | None = None
    version: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    delayed_until: datetime | None = None
    ttl: str | None = None
    expired_at: datetime | None = None
    metadata: dict[str, Any] | None = None

    @property
    def is_final(self) -> bool:
        """It has ended, however."""
        return self.status in FINAL


class RelatedRun(RunFacts):
    depth: int = 0
    trigger_function: str = "trigger"


class Relations(Model):
    root: RelatedRun | None = None
    parent: RelatedRun | None = None
    children: list[RelatedRun] = []


class Run(RelatedRun):
    """A run with payload, output and error."""

    payload: Any = None
    output: Any = None
    payload_presigned_url: str | None = Field(None, repr=False)
    output_presigned_url: str | None = Field(None, repr=False)
    error: RunError | None = None
    batch_id: str | None = None
    attempt_count: int = 0
    related_runs: Relations = Relations()


class Result(Model):
    """How a run ended; `output` is JSON text."""

    ok: bool
    id: str
    task_identifier: str | None = None
    output: str | None = None
    output_type: str | None = None
    error: dict[str, Any] | None = None


class BatchHandle(Model):
    """A batch that was opened, or found by its key."""

    id: str
    run_count: int
    is_cached: bool = False
    idempotency_key: str | None = None
    public_access_token: str | None = Field(None, repr=False)


class ItemProblem(Model):
    index: int
    task_identifier: str
    error: str
    error_code: str | None = None


class Processing(Model):
    completed_at: datetime | None = None
    errors: list[ItemProblem] = []


class Batch(Model):
    id: str
    status: Literal["PENDING", "PROCESSING", "COMPLETED", "PARTIAL_FAILED", "ABORTED"]
    created_at: datetime
    updated_at: datetime
    run_count: int
    runs: list[str]
    processing: Processing = Processing()
    successful_run_count: int | None = None
    failed_run_count: int | None = None
    idempotency_key: str | None = None

    @property
    def is_final(self) -> bool:
        return self.status not in {"PENDING", "PROCESSING"}


class Generator(Model):
    type: str = "CRON"
    expression: str
    description: str = ""


class Schedule(Model):
    id: str
    type: str
    task: str
    active: bool
    generator: Generator
    timezone: str = "UTC"
    deduplication_key: str | None = None
    external_id: str | None = None
    next_run: datetime | None = None


class Concurrency(Model):
    current: int | None = None
    base: int | None = None
    override: int | None = None
    overridden_at: datetime | None = None
    overridden_by: str | None = None


class Queue(Model):
    id: str
    name: str
    type: str
    running: int
    queued: int
    paused: bool
    concurrency_limit: int | None = None
    concurrency: Concurrency = Concurrency()
    total_limit: int | None = None
    rate_limit: str | None = None


class NewToken(Model):
    """A wait token that was made; `url` completes it without a key."""

    id: str
    url: str = Field(repr=False)
    is_cached: bool = False
    public_access_token: str | None = Field(None, repr=False)


class Token(Model):
    id: str
    url: str = Field(repr=False)
    status: Literal["WAITING", "COMPLETED", "TIMED_OUT"]
    tags: list[str] = []
    created_at: datetime
    timeout_at: datetime | None = None
    completed_at: datetime | None = None
    idempotency_key: str | None = None
    output: str | None = None
    output_type: str | None = None
    output_is_error: bool = False


class Chunk(Model):
    """A value of a stream; `id` is what to go on behind."""

    id: str
    number: int
    at: datetime
    value: Any = None


class LiveRun(Model):
    """A run as it is followed."""

    id: str
    status: str
    task_identifier: str
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    delayed_until: datetime | None = None
    expired_at: datetime | None = None
    is_test: bool = False
    tags: list[str] = []
    duration_ms: float = 0
    idempotency_key: str | None = None
    metadata: dict[str, Any] | None = None
    payload: Any = None
    output: Any = None
    error: dict[str, Any] | None = None

    @property
    def is_final(self) -> bool:
        """It has ended, however."""
        return self.status in FINAL
