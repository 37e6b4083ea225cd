"""What this browser remembers of its viewer's taste."""

from django.http import HttpRequest

THEME, ZONE, KEYS = "trackside_theme", "trackside_tz", "trackside_keys"
THEMES = {"system": "As the system", "light": "Light", "dark": "Dark"}


def theme(request: HttpRequest) -> str:
    chosen = request.COOKIES.get(THEME, "")
    return chosen if chosen in THEMES else "system"


def keys(request: HttpRequest) -> bool:
    """Whether single keys act."""
    return request.COOKIES.get(KEYS) != "off"
