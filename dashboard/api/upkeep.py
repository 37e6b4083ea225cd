"""What operators do that the reference's clients do not ask for: edit and unlock runs, purge, stop all queues."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, JsonValue
from typing_extensions import TypedDict

from dashboard.api import access, answers, bodies, objects, packets, queries, runs, schemas, shapes
from dashboard.api.endpoint import ApiRequest, endpoint
from dashboard.api.schemas import Body, Text, listed
from runs import durations, lifecycle
from runs.lifecycle import Edit, Selection
from runs.models import Role
from runs.reads.deadline import deadline

#: Runs one request purges; whoever wants more asks again.
MOST = 5000
#: Seconds counting them may take.
SECONDS = 2.0
Texts = Annotated[
    list[Text],
    BeforeValidator(listed, json_schema_input_type=str | list[str]),
    Field(max_length=queries.MOST_VALUES),
]


class Changes(Body):
    """What is to be different of a run that was never started."""

    priority: int | float | None = None
    queue: Text | None = None
    delay: int | float | Text | None = None
    reason: Text = Field("", max_length=1000)


class EditedRun(Changes):
    """The same, with the payload."""

    payload: JsonValue = None
    payload_type: shapes.Kind | None = None


class Purge(Body):
    """Which runs; several values of one member mean any of them, and one member has to say something."""

    queue: Texts = []
    task: Texts = []
    tag: Texts = []
    key: Texts = []
    status: Texts = []
    older_than: int | float | Text | None = None
    reason: Text = Field("", max_length=1000)
    #: Only say how many.
    dry_run: bool = False


class Purged(TypedDict):
    """How many runs were, or with `dryRun` would be, canceled; with `isMore` there are others."""

    count: int
    isMore: bool


class Stop(Body):
    """All queues, those that are made later too."""

    action: Literal["pause", "resume"]
    reason: Text = Field("", max_length=1000)


class Stopped(TypedDict):
    """How many queues changed."""

    count: int


@endpoint(
    "POST", tasks=access.task_of_run, body=EditedRun, answers={200: answers.Run, 409: "It started."}
)
def edit(request: ApiRequest, run_id: str) -> dict[str, Any]:
    """Change a run that was never started: payload, priority, queue, delay (0 for at once)."""
    body = bodies.read(request, required=True)
    payload, kind = body.pop("payload", None), body.pop("payloadType", None)
    asked = Changes.read({name: member.value for name, member in body.items()})
    wanted: dict[str, Any] = {"priority": asked.priority, "queue": asked.queue}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    if payload is not None:
        wanted["payload"] = packets.text(payload, kind.value if kind else None)
    if asked.delay is not None:
        wanted["delay"] = schemas.moment_or_seconds(asked.delay, "delay")
    run = runs.found(run_id)
    lifecycle.edit(run.pk, Edit(**wanted), actor=request.actor, reason=asked.reason)
    return objects.retrieved(runs.found(run_id), request)


@endpoint(
    "POST", tasks=access.task_of_run, answers={200: answers.Run, 409: "It executes, or has ended."}
)
def unlock(request: ApiRequest, run_id: str) -> dict[str, Any]:
    """Let a run go on with any version of the task code."""
    lifecycle.unlock(runs.found(run_id).pk, actor=request.actor)
    return objects.retrieved(runs.found(run_id), request)


@endpoint("POST", role=Role.ADMIN, body=Purge, answers=Purged)
def purge(request: ApiRequest) -> dict[str, Any]:
    """Cancel runs that were never started, thousands at a time: ask again while `isMore`."""
    asked = Purge.read(_body(request))
    chosen = Selection(
        queue=asked.queue,
        task=asked.task,
        tag=asked.tag,
        key=asked.key,
        status=[word.upper() for word in asked.status],
        older_than=_seconds(asked.older_than),
    )
    found = chosen.runs()
    if asked.dry_run:
        with deadline(SECONDS):
            count = len(lifecycle.purgeable(found).values_list("pk")[: MOST + 1])
        return {"count": min(count, MOST), "isMore": count > MOST}
    count = lifecycle.purge(
        found, actor=request.actor, reason=asked.reason, asked=chosen.facts, most=MOST
    )
    return {"count": count, "isMore": count >= MOST}


@endpoint("POST", role=Role.ADMIN, body=Stop, answers=Stopped)
def stop(request: ApiRequest) -> dict[str, Any]:
    """Pause all queues, also those to come, or open again those that this closed."""
    asked = Stop.read(_body(request))
    if asked.action == "pause":
        return {"count": lifecycle.pause_all(actor=request.actor, reason=asked.reason)}
    return {"count": lifecycle.resume_all(actor=request.actor)}


def _body(request: ApiRequest) -> dict[str, Any]:
    return bodies.values(request, required=True)


def _seconds(text: str | float | None) -> float | None:
    return None if text is None else durations.seconds(text, "olderThan")
