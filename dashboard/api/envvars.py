"""Environment variables of this deployment: list, create, import, get, update, delete."""

from typing import Any

from typing_extensions import TypedDict

from dashboard.api import answers, bodies, deployment
from dashboard.api.endpoint import ApiRequest, endpoint, methods
from dashboard.api.schemas import Body
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
    """Several variables, all or none. `parentVariables` are ignored: there are no branches."""

    variables: dict[str, str]
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
    asked = NewVariable.read(_body(request))
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
    asked = Variables.read(_body(request))
    secret = {name: asked.is_secret or asked.secrets.get(name, False) for name in asked.variables}
    envvars.put(asked.variables, actor=request.actor, secret=secret, override=asked.override)
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
    asked = Value.read(_body(request))
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


def _body(request: ApiRequest) -> dict[str, Any]:
    read = bodies.read(request, required=True)
    return {name: member.value for name, member in read.items()}


def _told(row: EnvVar) -> dict[str, Any]:
    return {"name": row.name, "value": _shown(row), "isSecret": row.is_secret}


def _shown(row: EnvVar) -> str:
    if row.is_secret:
        return REDACTED
    try:
        return decrypt(row.value)
    except Undecipherable:
        return UNREADABLE
