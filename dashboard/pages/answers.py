"""The answer people give to a wait token: a form from its schema, or approve and reject."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from dashboard import presenters
from dashboard.bodylimit import body_limit
from dashboard.pages import documents, shell, zones
from runs import conf, payloads
from runs.errors import InvalidPayload, NotFound, PayloadTooLarge
from runs.lifecycle import tokens
from runs.models import Waitpoint

#: Members of a schema shown as fields; a larger one is a JSON text.
MAX_FIELDS = 20
KINDS = {"string": "text", "integer": "number", "number": "number", "boolean": "checkbox"}
COMMENT = "comment"


@dataclass(frozen=True, slots=True)
class Field:
    """One member of the answer."""

    name: str
    title: str
    help: str
    kind: str
    required: bool
    value: str
    choices: list[str]
    step: str


class Form:
    """Approve or reject, with a comment."""

    template = "dashboard/waitpoints/_approve.html"

    def __init__(self, fields: list[Field] | None = None) -> None:
        self.fields = fields or []

    def read(self, given: Mapping[str, Any]) -> str | None:
        """The answer as JSON text. Raises InvalidPayload."""
        if "json" in given:
            return clean(str(given["json"]))
        answer: dict[str, Any] = {"approved": given.get("answer") == "approve"}
        comment = str(given.get(COMMENT, "")).strip()
        return payloads.dumps(answer | ({"comment": comment} if comment else {}))


class SchemaForm(Form):
    """A field for each member of a flat object."""

    template = "dashboard/waitpoints/_fields.html"

    def read(self, given: Mapping[str, Any]) -> str | None:
        if "json" in given:
            return clean(str(given["json"]))
        answer = {field.name: value_of(field, given) for field in self.fields}
        return payloads.dumps({name: value for name, value in answer.items() if value is not None})


class TextForm(Form):
    """JSON, for a schema that is no flat object."""

    template = "dashboard/waitpoints/_text.html"


def form_of(token: Waitpoint) -> Form:
    """The form that fits a token."""
    if not token.schema:
        return Form()
    schema = json.loads(token.schema)
    fields = fields_of(schema if isinstance(schema, dict) else {})
    return SchemaForm(fields) if fields else TextForm()


def fields_of(schema: dict[str, Any]) -> list[Field]:
    """The members of a flat object; none where there is one that no field can show."""
    members = schema.get("properties")
    if schema.get("type") != "object" or not isinstance(members, dict):
        return []
    required = schema.get("required") or []
    found = [
        field_of(name, member if isinstance(member, dict) else {}, name in required)
        for name, member in members.items()
    ]
    fields = [field for field in found if field is not None]
    return fields if len(fields) == len(found) <= MAX_FIELDS else []


def field_of(name: str, member: dict[str, Any], required: bool) -> Field | None:
    choices = member.get("enum")
    listed = isinstance(choices, list) and all(isinstance(one, str) for one in choices)
    kind = "select" if listed else KINDS.get(str(member.get("type")))
    if kind is None or (choices and not listed):
        return None
    default = member.get("default")
    return Field(
        name=name,
        title=str(member.get("title") or name.replace("_", " ").capitalize()),
        help=str(member.get("description") or ""),
        kind=kind,
        required=required,
        value="" if default is None else str(default),
        choices=list(choices) if listed and choices else [],
        step="1" if member.get("type") == "integer" else "any",
    )


def value_of(field: Field, given: Mapping[str, Any]) -> Any:
    """What was sent for a field; None for an empty one that need not be filled."""
    text = str(given.get(field.name, ""))
    if field.kind == "checkbox":
        return bool(text)
    if not text:
        return "" if field.required and field.kind == "text" else None
    if field.kind == "number":
        try:
            return int(text) if field.step == "1" else float(text)
        except ValueError:
            raise InvalidPayload(f"{field.title} needs a number.", path=f"$.{field.name}") from None
    return text


def clean(text: str) -> str | None:
    return payloads.clean(text, limit=conf.get("OUTPUT_LIMIT")) if text.strip() else None


# -- the address anybody may answer who has it ----------------------------------------------------


@csrf_exempt
def answer(request: HttpRequest, token_id: str, signature: str) -> HttpResponse:
    """The form by GET; POST completes the token, from the form or with JSON from a program."""
    with zones.active(request):
        response = _answered(request, token_id, signature)
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response


def _answered(request: HttpRequest, token_id: str, signature: str) -> HttpResponse:
    token = _signed(token_id, signature)
    by_form = request.content_type in ("application/x-www-form-urlencoded", "multipart/form-data")
    if request.method in ("GET", "HEAD"):
        return _page(request, token, 200 if token else 404)
    if request.method != "POST":
        return HttpResponse(status=405, headers={"Allow": "GET, POST"})
    if token is None:
        missing = {"error": "There is no such wait token, or the address is incomplete."}
        return _page(request, None, 404) if by_form else JsonResponse(missing, status=404)
    return _by_form(request, token) if by_form else _by_program(request, token)


def _signed(token_id: str, signature: str) -> Waitpoint | None:
    """The token, if the address proves that Trackside gave it out."""
    if "\x00" in token_id or not tokens.is_signed(token_id, signature):
        return None
    try:
        return tokens.find(token_id)
    except NotFound:
        return None


def _by_form(request: HttpRequest, token: Waitpoint) -> HttpResponse:
    was_open = token.is_waiting
    try:
        after = tokens.complete(token.pk, form_of(token).read(request.POST), by="url")
    except InvalidPayload as error:
        return _page(request, token, 422, problem=str(error))
    return _page(request, after, 200, thanks=was_open)


def _by_program(request: HttpRequest, token: Waitpoint) -> HttpResponse:
    """The whole body is the output; what is not JSON counts as an empty object (WK-6)."""
    limit = body_limit()
    raw = request.read(limit + 1)
    if len(raw) > limit:
        return JsonResponse({"error": f"The body has more than {limit:,} bytes."}, status=413)
    try:
        text = payloads.clean(raw, limit=limit)
    except PayloadTooLarge as error:
        return JsonResponse({"error": str(error)}, status=413)
    except InvalidPayload:
        text = "{}"
    try:
        after = tokens.complete(token.pk, text, by="url")
    except InvalidPayload as error:
        return JsonResponse({"error": str(error)}, status=400)
    return JsonResponse({"success": True, "status": str(after.status)})


def _page(
    request: HttpRequest,
    token: Waitpoint | None,
    status: int,
    *,
    problem: str = "",
    thanks: bool = False,
) -> HttpResponse:
    context: dict[str, Any] = {"token": token, "problem": problem, "thanks": thanks}
    if token is not None:
        output = None if token.output is None else documents.show(token.output, "output")
        context |= {
            "form": form_of(token),
            "look": presenters.token_look(token),
            "output": output,
        }
    return shell.render(request, "dashboard/waitpoints/answer.html", context, status=status)
