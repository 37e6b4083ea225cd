"""Request bodies as pydantic models: types are strict, unknown names are refused."""

import hashlib
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from dashboard.api.errors import ApiError
from runs import durations, payloads
from runs.debounce import LEADING, Debounce
from runs.errors import InvalidOption
from runs.lifecycle import checks
from runs.lifecycle.options import IDEMPOTENCY_TTL, MAX_TAGS, TriggerOptions
from runs.limits import UNSTORABLE

LIMITS = (
    "Trackside has no named concurrency limits: give the limit to a queue, and name it by queue."
)
OLD = "It is of versions of the reference before 4."
#: What cannot be left out without doing something else than was asked for; accepted where it is empty.
REFUSED = {
    "concurrency": LIMITS,
    "gates": LIMITS,
    "parentAttempt": OLD,
    "dependentAttempt": OLD,
    "parentBatch": OLD,
    "dependentBatch": OLD,
}
#: What needs no action here: there is one region, sizes and types are seen in the data, a parent waits
#: by its own code, and which bulk action made a run is written down by that.
IGNORED = {
    "region": str,
    "payloadSize": int,
    "payloadType": str,
    "metadataType": str,
    "payload": object,
    "bulkActionId": str,
    "resumeParentOnCompletion": bool,
}
NOUNS = {str: "text", int: "a whole number", bool: "true or false"}


def _storable(text: str) -> str:
    if UNSTORABLE.search(text):
        raise ValueError("contains a character that cannot be stored")
    return text


Text = Annotated[str, AfterValidator(_storable)]


class Body(BaseModel):
    """A strict body; null means the same as absent."""

    model_config = ConfigDict(
        strict=True, extra="forbid", alias_generator=to_camel, populate_by_name=False
    )

    @classmethod
    def read(cls, values: dict[str, Any], where: str = "") -> Self:
        """The model of `values`; raises a 400 that names the field."""
        given = {name: value for name, value in values.items() if value is not None}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise ApiError(400, _sentence(error, where)) from error


def _sentence(error: ValidationError, where: str) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    path = ".".join([*([where] if where else []), *(str(part)[:60] for part in first["loc"])])
    if first["type"] == "extra_forbidden":
        return f"{path} is not an option Trackside knows."
    return f"{path}: {first['msg']}."


def listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


#: One tag or several; repeated ones count once.
Tags = Annotated[list[Text], BeforeValidator(listed, json_schema_input_type=str | list[str])]


def _texted(value: object) -> object:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f"{value:.15g}" if isinstance(value, float) else str(value) if number else value


class QueueName(Body):
    """A queue by its name."""

    name: Text


class KeyOptions(Body):
    """The key as people know it."""

    key: Annotated[list[Text], BeforeValidator(listed, json_schema_input_type=str | list[str])]
    scope: str = "global"


class DebounceOptions(Body):
    """Triggers with one key within the delay become one run."""

    key: Text
    delay: int | float | Text
    mode: str = LEADING
    max_delay: int | float | Text | None = None


def _named(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class Options(Body):
    """The options of trigger and replay, in the reference's names."""

    queue: Annotated[
        QueueName | None, BeforeValidator(_named, json_schema_input_type=QueueName | str | None)
    ] = None
    concurrency_key: Annotated[
        Text | None, BeforeValidator(_texted, json_schema_input_type=str | float | None)
    ] = None
    test: bool = False
    idempotency_key: Annotated[Text, Field(min_length=1, max_length=2048)] | None = None
    idempotency_key_ttl: str | None = Field(None, alias="idempotencyKeyTTL")
    idempotency_key_options: KeyOptions | None = None
    delay: Text | None = None
    ttl: int | float | Text | None = None
    tags: Tags | None = None
    max_attempts: int | None = Field(None, ge=1, le=1000)
    metadata: dict[str, Any] | str | None = None
    max_duration: int | float | None = None
    parent_run_id: Text | None = None
    machine: Text | None = None
    priority: int | float | None = None
    lock_to_version: Text | None = None
    external_deployment_id: Text | None = None
    debounce: DebounceOptions | None = None


class Cancel(Body):
    """What a cancel may say; clients of the reference send no body."""

    reason: Text = Field("", max_length=1000)
    keep_children: bool = False


class NewToken(Body):
    """What a wait token may be made with."""

    timeout: int | float | Text | None = None
    tags: Tags | None = None
    idempotency_key: Annotated[Text, Field(min_length=1, max_length=2048)] | None = None
    idempotency_key_ttl: str | None = Field(None, alias="idempotencyKeyTTL")


def options(values: dict[str, Any], where: str = "") -> TriggerOptions:
    """TriggerOptions of the reference's `values`. Raises a 400 or 422, or InvalidOption."""
    for name in sorted(REFUSED.keys() & values.keys()):
        if values[name]:
            raise ApiError(422, f"{name} is not supported. {REFUSED[name]}")
    for name, kind in IGNORED.items():
        if values.get(name) is not None and not isinstance(values[name], kind):
            raise ApiError(400, f"{where or 'options'}.{name} must be {NOUNS[kind]}.")
    known = {name: values[name] for name in values.keys() - REFUSED.keys() - IGNORED.keys()}
    body = Options.read(known, where)
    return TriggerOptions(
        queue=body.queue.name if body.queue else None,
        concurrency_key=body.concurrency_key,
        delay=moment_or_seconds(body.delay, "delay"),
        ttl=None if body.ttl is None else durations.seconds(body.ttl, "ttl"),
        **_idempotency(body),
        tags=_tags(body.tags),
        metadata=_metadata(body.metadata),
        priority=body.priority,
        max_attempts=body.max_attempts,
        max_duration=None
        if body.max_duration is None
        else durations.limit(body.max_duration, "maxDuration"),
        machine=body.machine,
        version=body.lock_to_version or body.external_deployment_id,
        debounce=_debounce(body.debounce),
        is_test=body.test,
        parent_id=body.parent_run_id,
    )


def moment_or_seconds(value: str | float | None, option: str) -> float | datetime | None:
    """Seconds of a duration, or the moment an ISO 8601 text names (UTC unless it says otherwise)."""
    if value is None:
        return None
    try:
        return durations.seconds(value, option)
    except InvalidOption:
        return moment(
            str(value), option, f"{option} must be a duration like “1h30m” or an ISO 8601 date."
        )


def moment(text: str, option: str, refusal: str = "") -> datetime:
    """The moment an ISO 8601 text names, UTC unless it says otherwise. Raises InvalidOption."""
    try:
        found = datetime.fromisoformat(text[:64])
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidOption(option, refusal or f"{option} must be an ISO 8601 date.") from error


def _debounce(asked: DebounceOptions | None) -> Debounce | None:
    """What is wrong with it is a 422, as the reference answers."""
    if asked is None:
        return None
    try:
        delay = durations.seconds(asked.delay, "debounce")
        longest = (
            None if asked.max_delay is None else durations.seconds(asked.max_delay, "debounce")
        )
        debounce = Debounce(asked.key, delay, asked.mode, longest)
        checks.debounce(debounce)
    except InvalidOption as error:
        raise ApiError(422, str(error)) from error
    return debounce


def _idempotency(body: Options) -> dict[str, Any]:
    key, ttl = body.idempotency_key, body.idempotency_key_ttl
    if key is None:
        return {}
    chosen = body.idempotency_key_options
    scope = chosen.scope if chosen else "global"
    if scope not in {"run", "attempt", "global"}:
        raise ApiError(400, "idempotencyKeyOptions.scope must be run, attempt or global.")
    return {
        "idempotency_key": readable_key(key, chosen),
        "idempotency_scope": scope,
        "idempotency_ttl": IDEMPOTENCY_TTL if ttl is None else _key_ttl(ttl),
    }


def readable_key(key: str, chosen: KeyOptions | None) -> str:
    """The text people know, where the hash clients send is the hash of it; else what was sent."""
    text = "-".join(chosen.key) if chosen else key
    same = hashlib.sha256(text.encode(errors="replace")).hexdigest() == key
    return text if same else key


def _key_ttl(text: str) -> float:
    return durations.seconds(text, "idempotencyKeyTTL")


def _tags(tags: list[str] | None) -> tuple[str, ...] | None:
    if tags is None:
        return None
    if len(set(tags)) > MAX_TAGS:
        raise ApiError(422, f"A run has at most {MAX_TAGS} tags; got {len(set(tags))}.")
    return tuple(tags)


def _metadata(metadata: dict[str, Any] | str | None) -> str | None:
    """JSON text; clients that serialize it themselves send text already."""
    return payloads.dumps(metadata) if isinstance(metadata, dict) else metadata
