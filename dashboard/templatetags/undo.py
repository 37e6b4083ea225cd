"""What a message offers beside its sentence."""

from typing import Any

from django import template

from dashboard import undo

register = template.Library()


@register.filter
def offered(tags: str | None) -> dict[str, Any] | None:
    return undo.offered(tags or "")
