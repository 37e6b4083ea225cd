"""What this browser remembers of its viewer's taste."""

from django.http import HttpRequest

THEME, ZONE, KEYS = "trackside_theme", "trackside_tz", "trackside_keys"
STRIP = "trackside_strip"
THEMES = {"system": "As the system", "light": "Light", "dark": "Dark"}


def theme(request: HttpRequest) -> str:
    chosen = request.COOKIES.get(THEME, "")
    return chosen if chosen in THEMES else "system"


def keys(request: HttpRequest) -> bool:
    """Whether single keys act."""
    return request.COOKIES.get(KEYS) != "off"


def strip(request: HttpRequest) -> bool:
    """Whether the bars above the runs list are open; the script keeps it."""
    return request.COOKIES.get(STRIP) != "off"
