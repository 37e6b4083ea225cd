"""What a task accepts as its payload, and how stored JSON becomes the value its body gets."""

import inspect
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Protocol

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import AfterValidator, PydanticUserError, TypeAdapter, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from engine.sdk.errors import InvalidTask
from engine.sdk.keys import takes_one
from runs import payloads
from runs.errors import InvalidOption, InvalidPayload

#: Problems of one payload that an error message lists.
SHOWN_PROBLEMS = 5


class PayloadSchema(Protocol):
    """Accepts payloads as JSON text; None is a payload that was not given."""

    def parse(self, payload: str | None) -> Any:
        """The value the body gets. Raises InvalidPayload with the path in the JSON."""

    def json_schema(self) -> str:
        """JSON Schema text for the Task row, or empty when anything goes."""

    def check(self) -> None:
        """Raise InvalidTask for what can only be told when all code is there."""


class AnyPayload:
    """A task without a schema: whatever JSON came."""

    def parse(self, payload: str | None) -> Any:
        return None if payload is None else json.loads(payload)

    def json_schema(self) -> str:
        return ""

    def check(self) -> None:
        """Nothing can be wrong."""


class TypedPayload:
    """A type that pydantic can validate: a model, dataclass, TypedDict, `list[int]`, ..."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self._adapter: TypeAdapter[Any] = TypeAdapter(kind)
        self._schema: str | None = None

    def parse(self, payload: str | None) -> Any:
        try:
            return self._adapter.validate_json("null" if payload is None else payload)
        except ValidationError as error:
            raise invalid(error) from None  # its text shows the input, which may be secret
        except PydanticUserError as error:  # a name in it stands for nothing
            raise unusable(self._kind, error) from error

    def check(self) -> None:
        if not self._adapter.pydantic_complete:
            try:
                self._adapter.rebuild(raise_errors=True)
            except (PydanticUserError, NameError) as error:
                raise unusable(self._kind, error) from error

    def json_schema(self) -> str:
        """Drawn when it is asked for: a name in it may stand for what is defined below the task."""
        if self._schema is None:
            self._schema = self._drawn()
        return self._schema

    def _drawn(self) -> str:
        try:
            return json.dumps(self._adapter.json_schema(mode="validation"))
        except PydanticUserError:
            return ""


class StatedPayload:
    """A JSON Schema the author wrote by hand."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        try:
            self._schema = json.dumps(schema)
            Draft202012Validator.check_schema(schema)
            check_reach(schema)
        except (SchemaError, TypeError, ValueError, RecursionError, Unresolvable) as error:
            problem = error.message if isinstance(error, SchemaError) else str(error)
            raise InvalidOption("schema", f"schema is no JSON Schema: {problem:.300}") from error

    def parse(self, payload: str | None) -> Any:
        text = "null" if payload is None else payload
        payloads.check(self._schema, text)
        return json.loads(text)

    def json_schema(self) -> str:
        return self._schema

    def check(self) -> None:
        """It was, when it was made."""


def schema_of(stated: Any, annotation: Any) -> PayloadSchema:
    """The schema of a task: stated, else derived from the payload's annotation, else none."""
    if isinstance(stated, Mapping):
        return StatedPayload(stated)
    kind = annotation if stated is None else stated
    if kind is None or kind is Any or kind is object:
        return AnyPayload()
    if inspect.isroutine(kind):  # a parser, as the reference takes them (TSK-2)
        check_parser(kind)
        kind = Annotated[Any, AfterValidator(kind)]
    try:
        return TypedPayload(known(kind))
    except (PydanticUserError, NameError, TypeError) as error:
        raise unusable(kind, error) from error


def unusable(kind: Any, error: Exception) -> InvalidTask:
    """What pydantic cannot make a schema of. Its text goes on about pydantic's own insides."""
    told = error.message if isinstance(error, PydanticUserError) else str(error)
    problem = told.partition("\n")[0].partition(". Set `arbitrary_types_allowed")[0].rstrip(".")
    return InvalidTask(
        "schema",
        f"The payload's type {kind!r:.200} cannot be validated: {problem}. Use a pydantic model, a "
        "dataclass, a TypedDict or a plain JSON type, or state schema=.",
    )


def check_parser(function: Any) -> None:
    """Raise InvalidOption for a function that cannot be a schema."""
    if inspect.iscoroutinefunction(function) or not takes_one(function):
        raise InvalidOption(
            "schema",
            f"A function that is the schema takes the payload and returns what the body gets, at "
            f"once; got {function!r:.100}.",
        )


def known(kind: Any) -> Any:
    """The type, if it may be one."""
    if isinstance(kind, (str, int, float, list, tuple, set)):
        raise TypeError("it is no type")
    return kind


#: Members of a schema whose values are data.
DATA = {"const", "enum", "default", "examples"}


def check_reach(schema: Mapping[str, Any]) -> None:
    """Raise Unresolvable for a reference to nowhere.

    Nothing is fetched. What a part with an id of its own refers to is left to the validation.
    """
    resource = DRAFT202012.create_resource(schema)
    uri = resource.id() or ""
    resolver = Registry().with_resource(uri, resource).crawl().resolver(uri)
    for name, value in members(schema):
        if name == "$ref" and isinstance(value, str):
            resolver.lookup(value)


def members(part: Any) -> Iterator[tuple[str, Any]]:
    """Every member of every object in the schema, what is data left out."""
    if isinstance(part, Mapping):
        for name, value in part.items():
            if name not in DATA:
                yield name, value
                yield from members(value)
    elif isinstance(part, list):
        for value in part:
            yield from members(value)


def invalid(error: ValidationError) -> InvalidPayload:
    """Pydantic's verdict as one sentence with paths into the JSON."""
    problems = [
        (json_path(problem["loc"]), problem["msg"])
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    lines = [f"{path}: {message}" for path, message in problems[:SHOWN_PROBLEMS]]
    if len(problems) > SHOWN_PROBLEMS:
        lines.append(f"and {len(problems) - SHOWN_PROBLEMS} more")
    return InvalidPayload("Invalid payload. " + "; ".join(lines), path=problems[0][0])


def json_path(location: tuple[int | str, ...]) -> str:
    """`("items", 0, "price")` as `$.items[0].price`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return "$" + "".join(steps)
