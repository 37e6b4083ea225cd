"""A payload as a form made from its JSON Schema: one input for each member people fill in.

The document stays what it is: an input that was left alone leaves its member alone, digits and all,
and members the schema does not name are kept.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dashboard.pages.schema_help import about, properties, read, resolved
from runs import exact, payloads
from runs.errors import InvalidPayload

#: Beyond these a schema's members are one JSON text each.
MAX_INPUTS, MAX_DEPTH, MAX_CHOICES = 60, 4, 100
#: Of a name in the form.
PREFIX = "member"
#: Formats with an input of their own, and what it shows as an example.
FORMATS = {"date": "2026-01-31", "date-time": "2026-01-31T14:00:00Z", "email": "", "uri": ""}
KINDS = {"integer": "number", "number": "number", "string": "text"}
#: Kinds whose value is what was typed.
TEXTS = ("text", "long", "secret")
LONG = 80
ABSENT = object()


class NoForm(ValueError):
    """The payload cannot be shown as a form; the text says why."""


class WrongInputs(ValueError):
    """What was typed is no payload: `problems` by the name of the input."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__("; ".join(problems.values()))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Input:
    """One member: `kind` is text, long, number, choice, json or secret."""

    path: tuple[str, ...]
    kind: str
    required: bool
    nullable: bool
    about: str
    value: str = ""
    #: (JSON text, shown) of what may be picked.
    choices: tuple[tuple[str, str], ...] = ()
    example: str = ""
    error: str = ""
    #: What the schema calls it.
    title: str = ""

    @property
    def name(self) -> str:
        """In the form; a path keeps apart what dots could not."""
        return f"{PREFIX}.{payloads.dumps(list(self.path))}"

    @property
    def label(self) -> str:
        return ".".join(self.path)


def inputs(schema: str, text: str) -> list[Input]:
    """The form of a payload. Raises NoForm for a schema or a payload that is none of an object."""
    document = _document(text)
    root = read(schema)
    found = list(_inputs(root, root, (), 0))
    if not found:
        raise NoForm("The schema names no members: there is only the JSON text.")
    if len(found) > MAX_INPUTS:
        raise NoForm(f"The schema names more than {MAX_INPUTS} members: too many for a form.")
    return [_with_value(one, _at(document, one.path)) for one in found]


def filled(schema: str, text: str, data: Mapping[str, str]) -> str:
    """The payload `text` with what was typed; `text` itself where nothing was.

    Raises NoForm and WrongInputs.
    """
    document, changed, problems = _document(text), False, {}
    for one in inputs(schema, text):
        typed = data.get(one.name, one.value).replace("\r\n", "\n")
        if typed == one.value.replace("\r\n", "\n"):
            continue
        changed = True
        try:
            _put(document, one.path, _value(one, typed))
        except InvalidPayload as error:
            problems[one.name] = f"{one.label}: {error}"
    if problems:
        raise WrongInputs(problems)
    return exact.dumps(document) if changed else text


def typed(found: list[Input], data: Mapping[str, str], problems: Mapping[str, str]) -> list[Input]:
    """The inputs as they were sent, with what is wrong about them."""
    return [
        replace(one, value=data.get(one.name, one.value), error=problems.get(one.name, ""))
        for one in found
    ]


def _document(text: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        document = exact.loads(payloads.clean(text))
    except (InvalidPayload, exact.Repeated) as error:
        raise NoForm(f"The JSON text cannot be shown as a form: {error}") from None
    if not isinstance(document, dict):
        raise NoForm("Only an object can be shown as a form.")
    return document


def _inputs(
    node: dict[str, Any], root: dict[str, Any], path: tuple[str, ...], depth: int
) -> Iterator[Input]:
    needed = node.get("required")
    for name, member in properties(node).items():
        inner, nullable = _not_null(resolved(member, root), root)
        place = (*path, name)
        if properties(inner) and depth + 1 < MAX_DEPTH:
            yield from _inputs(inner, root, place, depth + 1)
        else:
            required = isinstance(needed, list) and name in needed
            yield _input(inner, place, required=required, nullable=nullable)


def _not_null(node: dict[str, Any], root: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """What a member is when it is not null, and whether it may be."""
    kind, options = node.get("type"), node.get("anyOf")
    if isinstance(kind, list) and "null" in kind and len(kind) == 2:
        return node | {"type": next(one for one in kind if one != "null")}, True
    if isinstance(options, list) and len(options) == 2 and {"type": "null"} in options:
        other = next(one for one in options if one != {"type": "null"})
        return {**node, **resolved(other, root)}, True
    return node, False


def _input(node: dict[str, Any], path: tuple[str, ...], *, required: bool, nullable: bool) -> Input:
    kind, choices = _kind(node)
    example = FORMATS.get(str(node.get("format")), "")
    title = str(node.get("title") or "")[:100] if len(path) == 1 else ""
    return Input(
        path, kind, required, nullable, about(node), choices=choices, example=example, title=title
    )


def _kind(node: dict[str, Any]) -> tuple[str, tuple[tuple[str, str], ...]]:
    offered, kind = node.get("enum"), str(node.get("type"))
    if isinstance(offered, list) and 0 < len(offered) <= MAX_CHOICES:
        return "choice", tuple((payloads.dumps(one), str(one)) for one in offered)
    if kind == "boolean":
        return "choice", (("true", "Yes"), ("false", "No"))
    if kind == "string" and (node.get("format") == "password" or node.get("writeOnly")):
        return "secret", ()
    return KINDS.get(kind, "json"), ()


def _at(document: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if not isinstance(document, dict) or name not in document:
            return ABSENT
        document = document[name]
    return document


def _with_value(one: Input, value: Any) -> Input:
    """The input showing a member; one that is not what the schema says is shown as JSON."""
    if value is ABSENT or (value is None and one.nullable):
        return one
    written = exact.dumps(value)
    if one.kind == "choice":
        offered = {text for text, _ in one.choices}
        return replace(one, value=written) if written in offered else _as_json(one, written)
    if one.kind in ("text", "secret") and type(value) is str:
        is_long = one.kind == "text" and (len(value) > LONG or "\n" in value or "\r" in value)
        return replace(one, kind="long" if is_long else one.kind, value=value)
    if one.kind == "number" and isinstance(value, exact.Number):
        return replace(one, value=str(value))
    return _as_json(one, written)


def _as_json(one: Input, written: str) -> Input:
    return replace(one, kind="json", choices=(), value=written)


def _value(one: Input, typed: str) -> Any:
    """What was typed as a value; ABSENT for nothing. Raises InvalidPayload."""
    if one.kind in TEXTS and typed:
        return typed
    if not typed.strip():
        return _nothing(one)
    try:
        value = exact.loads(payloads.clean(typed))
    except exact.Repeated as error:
        raise InvalidPayload(str(error)) from None
    if one.kind == "number" and not isinstance(value, exact.Number):
        raise InvalidPayload("A number is needed.")
    return value


def _nothing(one: Input) -> Any:
    """What an empty input stands for."""
    if not one.required:
        return ABSENT
    if one.nullable:
        return None
    if one.kind in TEXTS:
        return ""
    raise InvalidPayload("A value is needed.")


def _put(document: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set or remove a member, and make the objects it is in."""
    *outer, last = path
    for name in outer:
        inner = document.get(name)
        if not isinstance(inner, dict):
            if value is ABSENT:
                return
            inner = document[name] = {}
        document = inner
    if value is ABSENT:
        document.pop(last, None)
    else:
        document[last] = value
