"""What Django checks before a command runs."""

from typing import Any

from django.core.checks import CheckMessage, Error, register

from engine.sdk.defaults import Stated, effective
from engine.sdk.logs import least_level
from engine.sdk.machines import redefined
from runs.errors import InvalidOption


@register
def defaults_are_right(**_: Any) -> list[CheckMessage]:
    """The settings that are defaults of tasks: a wrong one would end every worker at its start."""
    try:
        effective(Stated())
        least_level()
        redefined()
    except InvalidOption as error:
        return [Error(str(error), id="trackside.E001")]
    return []
