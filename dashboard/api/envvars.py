"""Environment variables of this deployment: list, create, import, get, update, delete."""

from typing import Any

from typing_extensions import TypedDict

from dashboard.api import answers, bodies, deployment
from dashboard.api.endpoint import ApiRequest, endpoint, methods
from dashboard.api.errors import ApiError
from dashboard.api.schemas import Body
from runs import dotenv
from runs.encryption import decrypt
from runs.errors import Undecipherable
from runs.lifecycle import envvars
from runs.models import EnvVar, Role

#: What stands for a value that is a secret, and for one that cannot be read any more.
REDACTED, UNREADABLE = "<redacted>", "<unreadable>"


class NewVariable(Body):
    """A variable, new or replaced. A secret one stays secret."""

    name: str
    value: str
    is_secret: bool = False


class Value(Body):
    """A new value; the members beside it are for clients that send the variable whole."""

    value: str
    name: str | None = None
    is_secret: bool = False


class Variables(Body):
    """Several variables, all or none, or the `text` of a .env file; `parentVariables` are ignored."""

    variables: dict[str, str] = {}
    text: str | None = None
    override: bool = False
    is_secret: bool = False
    secrets: dict[str, bool] = {}
    source: dict[str, Any] | str | None = None
    parent_variables: dict[str, str] | None = None
    parent_secrets: dict[str, bool] | None = None


class Variable(TypedDict):
    """A variable; the value of a secret one is redacted."""

    name: str
    value: str
    isSecret: bool


ELSEWHERE = "Another project or environment than this one."
MISSING = "No such variable, or another project or environment."
WRONG = "A name or value that cannot be, or too many."


@endpoint("GET", role=Role.VARIABLES, answers={200: list[Variable], 404: ELSEWHERE})
def index(request: ApiRequest, project: str, slug: str) -> Any:
    """All variables, by name."""
    deployment.check(project, slug)
    return [_told(row) for row in EnvVar.objects.all()]


@endpoint(
    "POST",
    role=Role.VARIABLES,
    body=NewVariable,
    answers={200: answers.Success, 400: WRONG, 404: ELSEWHERE},
)
def create(request: ApiRequest, project: str, slug: str) -> dict[str, Any]:
    """Set a variable; one that has the name gets the value."""
    deployment.check(project, slug)
    asked = NewVariable.read(bodies.values(request, required=True))
    envvars.put({asked.name: asked.value}, actor=request.actor, secret=asked.is_secret)
    return {"success": True}


@endpoint(
    "POST",
    role=Role.VARIABLES,
    body=Variables,
    answers={200: answers.Success, 400: WRONG, 404: ELSEWHERE},
)
def bring(request: ApiRequest, project: str, slug: str, name: str) -> dict[str, Any]:
    """Set several variables; without `override` none of them may be set already."""
    deployment.check(project, slug)
    asked = Variables.read(bodies.values(request, required=True))
    if (asked.text is None) == ("variables" not in asked.model_fields_set):
        raise ApiError(400, "Say either variables, an object of texts, or text, a .env file's.")
    given = asked.variables if asked.text is None else dotenv.parse(asked.text)
    secret = {name: asked.is_secret or asked.secrets.get(name, False) for name in given}
    envvars.put(given, actor=request.actor, secret=secret, override=asked.override)
    return {"success": True}


@endpoint("GET", role=Role.VARIABLES, answers={200: Variable, 404: MISSING})
def retrieve(request: ApiRequest, project: str, slug: str, name: str) -> dict[str, Any]:
    """One variable."""
    deployment.check(project, slug)
    return _told(envvars.find(name))


@endpoint(
    "PUT", role=Role.VARIABLES, body=Value, answers={200: answers.Success, 400: WRONG, 404: MISSING}
)
def update(request: ApiRequest, project: str, slug: str, name: str) -> dict[str, Any]:
    """Give a variable another value."""
    deployment.check(project, slug)
    asked = Value.read(bodies.values(request, required=True))
    envvars.update(name, asked.value, actor=request.actor, secret=asked.is_secret)
    return {"success": True}


@endpoint("DELETE", role=Role.VARIABLES, answers={200: answers.Success, 404: MISSING})
def delete(request: ApiRequest, project: str, slug: str, name: str) -> dict[str, Any]:
    """Remove a variable."""
    deployment.check(project, slug)
    envvars.delete(name, actor=request.actor)
    return {"success": True}


collection = methods(GET=index, POST=create)
one = methods(GET=retrieve, PUT=update, DELETE=delete)
#: A variable may have the name `import`.
imported = methods(POST=bring, GET=retrieve, PUT=update, DELETE=delete)


def _told(row: EnvVar) -> dict[str, Any]:
    return {"name": row.name, "value": _shown(row), "isSecret": row.is_secret}


def _shown(row: EnvVar) -> str:
    if row.is_secret:
        return REDACTED
    try:
        return decrypt(row.value)
    except Undecipherable:
        return UNREADABLE
