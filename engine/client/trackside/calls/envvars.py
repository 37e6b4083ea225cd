"""Environment variables of the tasks. A secret one comes back redacted.

`environment` is dev, staging or prod: a deployment refuses another one than it is.
"""

from collections.abc import Mapping

from trackside.calls.common import ask, at, done
from trackside.models import shaped
from trackside.steps import Call, Request
from trackside.upkeepmodels import EnvVar

#: There is one project; the addresses name it all the same.
PROJECT = "default"


def every(*, environment: str, project: str = PROJECT) -> Call[list[EnvVar]]:
    """All of them."""
    answer = yield Request("GET", _at(project, environment))
    return [shaped(one, EnvVar) for one in answer.json()]


def retrieve(name: str, *, environment: str, project: str = PROJECT) -> Call[EnvVar]:
    """One of them."""
    return ask(Request("GET", _at(project, environment, name)), EnvVar)


def create(
    name: str,
    value: str,
    *,
    is_secret: bool = False,
    environment: str,
    project: str = PROJECT,
) -> Call[None]:
    """Make one."""
    body = {"name": name, "value": value, **({"isSecret": True} if is_secret else {})}
    return done(Request("POST", _at(project, environment), body=body))


def update(name: str, value: str, *, environment: str, project: str = PROJECT) -> Call[None]:
    """Give it another value."""
    return done(Request("PUT", _at(project, environment, name), body={"value": value}))


def delete(name: str, *, environment: str, project: str = PROJECT) -> Call[None]:
    """Remove it."""
    return done(Request("DELETE", _at(project, environment, name)))


def upload(
    variables: Mapping[str, str],
    *,
    override: bool = False,
    is_secret: bool = False,
    environment: str,
    project: str = PROJECT,
) -> Call[None]:
    """Make many at once; those that are there already only with `override`."""
    body = {"variables": dict(variables), "override": override}
    if is_secret:
        body["isSecret"] = True
    return done(Request("POST", _at(project, environment) + "/import", body=body))


def upload_text(
    text: str,
    *,
    override: bool = False,
    is_secret: bool = False,
    environment: str,
    project: str = PROJECT,
) -> Call[None]:
    """The same from the text of a .env file."""
    body = {"text": text, "override": override, "isSecret": is_secret}
    return done(Request("POST", _at(project, environment) + "/import", body=body))


def _at(project: str, environment: str, *name: str) -> str:
    return at("/api/v1/projects/{}/envvars/{}" + "/{}" * len(name), project, environment, *name)
