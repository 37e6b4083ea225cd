"""The answer people give to a wait token: a form from its schema, or approve and reject."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.views.decorators.csrf import csrf_exempt

from dashboard import presenters
from dashboard.bodylimit import body_limit
from dashboard.pages import documents, payload_editor, schema_form, schema_help, shell, zones
from dashboard.pages.schema_form import NoForm, WrongInputs
from runs import conf, payloads
from runs.errors import InvalidPayload, NotFound, PayloadTooLarge
from runs.lifecycle import tokens
from runs.models import Waitpoint

COMMENT = "comment"


class Form:
    """Approve or reject, with a comment."""

    template = "dashboard/waitpoints/_approve.html"

    def read(self, given: QueryDict) -> str | None:
        """The answer as JSON text. Raises InvalidPayload."""
        return clean(str(given["json"])) if "json" in given else self.answer(given)

    def answer(self, given: QueryDict) -> str | None:
        answer: dict[str, Any] = {"approved": given.get("answer") == "approve"}
        comment = str(given.get(COMMENT, "")).strip()
        return payloads.dumps(answer | ({"comment": comment} if comment else {}))


class YesNoForm(Form):
    """Approve or reject, for a schema that is true or false."""

    template = "dashboard/waitpoints/_yes_no.html"

    def answer(self, given: QueryDict) -> str | None:
        return payloads.dumps(given.get("answer") == "approve")


class SchemaForm(Form):
    """An input for each member of the schema, which begins with its default."""

    template = "dashboard/waitpoints/_fields.html"

    def __init__(self, schema: str) -> None:
        self.schema, self.start = schema, schema_help.defaults(schema)
        self.inputs = schema_form.inputs(schema, self.start)

    def answer(self, given: QueryDict) -> str | None:
        empty, texts = self.inputs, payload_editor.texts(given)
        # what the page shows again, should somebody refuse it
        self.inputs = schema_form.typed(empty, texts, {})
        try:
            return schema_form.filled(self.schema, self.start, texts)
        except WrongInputs as error:
            self.inputs = schema_form.typed(empty, texts, error.problems)
            raise InvalidPayload(str(error)) from None


class TextForm(Form):
    """JSON, for a schema that names no members."""

    template = "dashboard/waitpoints/_text.html"


def form_of(token: Waitpoint) -> Form:
    """The form that fits a token."""
    if not token.schema:
        return Form()
    if schema_help.read(token.schema).get("type") == "boolean":
        return YesNoForm()
    try:
        return SchemaForm(token.schema)
    except NoForm:
        return TextForm()


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
    was_open, form = token.is_waiting, form_of(token)
    try:
        after = tokens.complete(token.pk, form.read(request.POST), by="url")
    except InvalidPayload as error:
        return _page(request, token, 422, problem=str(error), form=form)
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
    form: Form | None = None,
) -> HttpResponse:
    context: dict[str, Any] = {"token": token, "problem": problem, "thanks": thanks}
    if token is not None:
        output = None if token.output is None else documents.show(token.output, "output")
        context |= {
            "form": form or form_of(token),
            "look": presenters.token_look(token),
            "output": output,
        }
    return shell.render(request, "dashboard/waitpoints/answer.html", context, status=status)
