"""How templates show charts: see `dashboard.pages.charts`."""

from typing import Any

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def chart_styles() -> SafeString:
    """For `{% block styles %}` of a page with charts."""
    return format_html('<link rel="stylesheet" href="{}">', static("dashboard/charts.css"))


@register.inclusion_tag("dashboard/charts/_patterns.html")
def chart_patterns() -> dict[str, Any]:
    """The hatches, once on a page."""
    return {}


@register.inclusion_tag("dashboard/charts/_figure.html")
def chart(shown: object) -> dict[str, Any]:
    """A figure with its heading, legend and table."""
    return {"chart": shown}


@register.inclusion_tag("dashboard/charts/_spark.html")
def spark(shown: object) -> dict[str, Any]:
    """A small chart in a cell."""
    return {"spark": shown}
