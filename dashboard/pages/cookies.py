"""What this browser remembers of its viewer's taste."""

from dataclasses import dataclass

from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Taste:
    """A choice between some words; `first`, or the first of them, is what who never chose has."""

    name: str
    title: str
    words: dict[str, str]
    help: str = ""
    first: str = ""

    @property
    def cookie(self) -> str:
        return f"trackside_{self.name}"

    @property
    def usual(self) -> str:
        return self.first or next(iter(self.words))

    def of(self, request: HttpRequest) -> str:
        chosen = request.COOKIES.get(self.cookie, "")
        return chosen if chosen in self.words else self.usual


ZONE = "trackside_tz"
_ALL = (
    Taste("theme", "Colours", {"system": "As the system", "light": "Light", "dark": "Dark"}),
    Taste(
        "hues",
        "Colours as a cue",
        {"on": "On", "off": "Off"},
        "Off: statuses are told apart by shape and word alone.",
    ),
    Taste("clock", "Clock", {"24": "24 hours", "12": "12 hours"}),
    Taste(
        "relative",
        "Times that count",
        {"on": "On", "off": "Off"},
        "Off: “3 m ago” is written as the time itself.",
    ),
    Taste("density", "Rows of tables", {"comfortable": "Comfortable", "compact": "Compact"}),
    Taste("rows", "Runs on a page", {"10": "10", "25": "25", "50": "50", "100": "100"}, first="25"),
    Taste("nav", "Navigation", {"wide": "With words", "narrow": "Icons alone"}),
    Taste("motion", "Motion", {"system": "As the system", "off": "None"}),
    Taste(
        "keys",
        "Single-key shortcuts",
        {"on": "On", "alt": "With Alt", "off": "Off"},
        "With Alt: they act while Alt is held, so that dictation and slips do nothing.",
    ),
)
TASTES = {one.name: one for one in _ALL}
#: Kept by the script alone.
_STRIP = Taste("strip", "Bars above the runs list", {"on": "On", "off": "Off"})


def chosen(request: HttpRequest, name: str) -> str:
    """The word that holds for this request."""
    return TASTES[name].of(request)


def strip(request: HttpRequest) -> bool:
    """Whether the bars above the runs list are open."""
    return _STRIP.of(request) == "on"
