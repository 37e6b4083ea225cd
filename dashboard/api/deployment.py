"""This deployment in the reference's words: one project with one environment (DEC-1)."""

from typing import Any

from django.utils.text import slugify

from dashboard.api.errors import ApiError
from runs import conf

#: What clients call an environment of each kind.
SLUGS = {
    "dev": {"dev", "development"},
    "staging": {"stg", "staging"},
    "prod": {"prod", "production"},
}
TYPES = {"dev": "DEVELOPMENT", "staging": "STAGING", "prod": "PRODUCTION"}


def kind() -> str:
    return str(conf.get("ENVIRONMENT").get("kind", "dev"))


def environment() -> dict[str, Any]:
    """The environment as schedules name it."""
    return {"id": f"env_{kind()}", "type": TYPES.get(kind(), "DEVELOPMENT")}


def check(project: str, slug: str) -> None:
    """Raise a 404 for another project, where PROJECT names ours, and for another environment."""
    ours = str(conf.get("PROJECT"))
    if ours and project != ours:
        raise ApiError(404, f"There is no project {project[:60]!r} here.", retry=False)
    name = str(conf.get("ENVIRONMENT").get("name", ""))
    if slug not in SLUGS.get(kind(), set()) | {name, slugify(name)} - {""}:
        raise ApiError(
            404, f"There is no environment {slug[:60]!r} here; this one is {kind()}.", retry=False
        )
