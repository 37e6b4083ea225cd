"""What the pages about errors say."""

from django import template

register = template.Library()


@register.filter
def commas(number: int) -> str:
    """Thousands apart."""
    return f"{number:,}"
