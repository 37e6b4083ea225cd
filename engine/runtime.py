"""The port between the SDK and the engine: what authors' code may ask for, and who answers.

The SDK imports without Django's app registry, so it talks to this Protocol. `EngineConfig.ready`
installs the implementation over `runs.lifecycle`; tests install a fake.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypedDict

from engine.schedulebook import ScheduleBook
from runs.debounce import Debounce
from runs.metadata import Operation


class LaunchOptions(TypedDict, total=False):
    """Checked options of one launch; a name left out means the task's default.

    Names and units are those of `runs.lifecycle.options.TriggerOptions`.
    """

    queue: str
    concurrency_key: str
    delay: float | datetime
    ttl: float
    idempotency_key: str
    idempotency_scope: str
    idempotency_ttl: float
    tags: tuple[str, ...]
    metadata: str
    priority: float
    max_attempts: int
    max_duration: float
    machine: str
    version: str
    debounce: Debounce
    is_test: bool
    parent_id: str
    parent_token: str
    awaited: bool
    batch_id: str
    traceparent: str
    tracestate: str


@dataclass(frozen=True, slots=True)
class Launch:
    """One run to make. `payload` is JSON text; `validated` says the task itself accepted it."""

    task_id: str
    payload: str | None
    options: LaunchOptions = field(default_factory=LaunchOptions)
    validated: bool = False


@dataclass(frozen=True, slots=True)
class Launched:
    """The run that answers a launch; its flags are those of `runs.lifecycle.options.Triggered`."""

    run_id: str
    is_cached: bool = False
    is_skipped: bool = False
    is_held: bool = False


class RunDesk(Protocol):
    """What is done to runs that are there. `actor` is who asks, for history and audit log."""

    def cancel(self, run_id: str, reason: str, keep_children: bool, actor: str) -> None:
        """Stop a run; one that has ended stays as it is."""

    def edit(self, run_id: str, changes: Mapping[str, Any], reason: str, actor: str) -> None:
        """Change priority, queue, delay or payload (JSON text) of a run that was never started."""

    def purge(self, selection: Mapping[str, Any], reason: str, actor: str) -> int:
        """Cancel what was never started of a selection. Returns how many."""

    def replay(self, run_id: str, changes: Mapping[str, Any], actor: str) -> tuple[str, Launched]:
        """Make a run like another; `changes` are options of a launch, and maybe "payload". Its task too."""

    def reset_key(self, task_id: str, key: str, actor: str) -> bool:
        """Forget an idempotency key; whether there was one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenWish:
    """One wait token to make; durations are seconds. `own_key` tells a run's tokens apart."""

    timeout: float | datetime | None = None
    key: str | None = None
    key_ttl: float | None = None
    tags: tuple[str, ...] = ()
    schema: str = ""
    run_id: str | None = None
    own_key: str = ""


class Minted(NamedTuple):
    """The token that answers a wish."""

    id: str
    url: str
    is_cached: bool = False


class Part(NamedTuple):
    """Chunks (JSON texts) of one stream; `before` of the same writer were stored before them.

    `owner` is the run whose stream it is, where that is not the one that executes.
    """

    key: str
    chunks: Sequence[str]
    writer: str
    before: int
    owner: str | None = None


class StreamShelf(Protocol):
    """Where streams of runs are kept."""

    def append(self, run_id: str, attempt: int, part: Part) -> None:
        """Append to a stream, while the attempt executes the run."""

    def expect(self, key: str, number: int, wish: TokenWish) -> Minted:
        """A token that the message with this number, at that input of the wish's run, completes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchWish:
    """How a batch is to be made; `key_ttl` is seconds."""

    id: str
    key: str | None = None
    key_ttl: float | None = None


class Batched(NamedTuple):
    """The batch that answers a wish, and its runs in input order."""

    id: str
    runs: list[Launched]
    is_cached: bool = False


@dataclass(frozen=True, slots=True)
class Changes:
    """Operations on metadata (`runs.metadata`) by whose they are."""

    own: list[Operation] = field(default_factory=list)
    parent: list[Operation] = field(default_factory=list)
    root: list[Operation] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.own or self.parent or self.root)

    def before(self, later: "Changes") -> "Changes":
        """These, and `later` after them."""
        return Changes(self.own + later.own, self.parent + later.parent, self.root + later.root)


class Used(NamedTuple):
    """Executing milliseconds of a run and of one of its attempts before the segment that executes.

    `since` is when that one began, as far as it is on record.
    """

    total_ms: int
    attempt_ms: int
    is_executing: bool = False
    since: datetime | None = None


class Runtime(Protocol):
    """What the SDK needs from the engine."""

    @property
    def schedules(self) -> ScheduleBook:
        """The schedules of this deployment."""

    @property
    def desk(self) -> RunDesk:
        """Where to ask for changes of runs."""

    @property
    def streams(self) -> StreamShelf:
        """Where streams are kept."""

    def trigger(self, launch: Launch) -> Launched:
        """Make one run, in the caller's transaction if there is one."""

    def trigger_many(self, launches: Sequence[Launch]) -> list[Launched]:
        """Make many runs, all or none, answered in input order."""

    def trigger_batch(self, launches: Sequence[Launch], wish: BatchWish) -> Batched:
        """Make the runs of a batch, all or none, or find the batch its key made."""

    def retrieve_batch(self, batch_id: str) -> dict[str, Any]:
        """How a batch stands."""

    def create_token(self, wish: TokenWish) -> Minted:
        """Make a wait token, or find the one its key made."""

    def complete_token(self, token_id: str, data: str | None, by: str) -> None:
        """Complete a token with JSON text, unless it has ended."""

    def retrieve_token(self, token_id: str) -> dict[str, Any]:
        """How a token stands."""

    def list_tokens(
        self, status: str | None, tags: tuple[str, ...], limit: int
    ) -> list[dict[str, Any]]:
        """Tokens, newest first."""

    def update_metadata(self, run_id: str, changes: Changes) -> dict[str, Any]:
        """Store changes of a run's metadata, and of its parent's and root's; the metadata then."""

    def add_tags(self, run_id: str, tags: Sequence[str]) -> None:
        """Add tags to a run, all or none."""

    def usage(self, run_id: str, attempt: int) -> Used:
        """What a run has executed, and of it one attempt."""


class NotReady(RuntimeError):
    """A task was triggered before Django finished loading its apps."""

    def __init__(self) -> None:
        super().__init__(
            "Tasks can be triggered once Django is ready: add “engine” and “runs” to "
            "INSTALLED_APPS and do not trigger while modules are being imported."
        )


_installed: Runtime | None = None


def install(runtime: Runtime | None) -> Runtime | None:
    """Make `runtime` the one the SDK uses; returns the one before."""
    global _installed
    before, _installed = _installed, runtime
    return before


def installed() -> Runtime:
    """The runtime in use."""
    if _installed is None:
        raise NotReady
    return _installed
