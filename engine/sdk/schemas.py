"""What a task accepts as its payload, and how stored JSON becomes the value its body gets."""

import json
from collections.abc import Mapping
from typing import Any, Protocol

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import PydanticUserError, TypeAdapter, ValidationError

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


class AnyPayload:
    """A task without a schema: whatever JSON came."""

    def parse(self, payload: str | None) -> Any:
        return None if payload is None else json.loads(payload)

    def json_schema(self) -> str:
        return ""


class TypedPayload:
    """A type that pydantic can validate: a model, dataclass, TypedDict, `list[int]`, ..."""

    def __init__(self, kind: Any) -> None:
        self._adapter: TypeAdapter[Any] = TypeAdapter(kind)
        # a default is not asked for, so that a schema nobody can draw still validates
        self._schema = self._drawn()

    def parse(self, payload: str | None) -> Any:
        try:
            return self._adapter.validate_json("null" if payload is None else payload)
        except ValidationError as error:
            raise invalid(error) from None  # its text shows the input, which may be secret

    def json_schema(self) -> str:
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
        except (SchemaError, TypeError, ValueError) as error:
            problem = error.message if isinstance(error, SchemaError) else str(error)
            raise InvalidOption("schema", f"schema is no JSON Schema: {problem:.300}") from error

    def parse(self, payload: str | None) -> Any:
        text = "null" if payload is None else payload
        payloads.check(self._schema, text)
        return json.loads(text)

    def json_schema(self) -> str:
        return self._schema


def schema_of(stated: Any, annotation: Any) -> PayloadSchema:
    """The schema of a task: stated, else derived from the payload's annotation, else none."""
    if isinstance(stated, Mapping):
        return StatedPayload(stated)
    kind = annotation if stated is None else stated
    if kind is None or kind is Any or kind is object:
        return AnyPayload()
    try:
        return TypedPayload(kind)
    except PydanticUserError as error:
        raise TypeError(
            f"The payload's type {kind!r:.200} cannot be validated: {error.message} Use a pydantic "
            "model, a dataclass, a TypedDict or a plain JSON type, or state schema=."
        ) from error


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
