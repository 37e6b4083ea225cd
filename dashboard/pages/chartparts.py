"""What charts are made of: see `dashboard.pages.charts`.

What comes by the dozen is markup already: a loop of a template takes ten times as long.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypedDict

from django.utils.html import escape
from django.utils.safestring import SafeString

#: Rows of the table beside a chart.
MOST_ROWS = 400
Format = Callable[[float | None], str]


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of a chart: `tone` is ok, active, parked, warn, bad or idle.

    Stacks grow from the first series to the last, so failures come last; `bad` is hatched as well.
    """

    label: str
    tone: str


@dataclass(frozen=True, slots=True)
class Bucket:
    """One place on the x axis, with a value for each series; None is "not known"."""

    label: str
    values: tuple[float | None, ...]
    #: The list behind it.
    href: str = ""
    #: Its time is not over: drawn hatched.
    is_partial: bool = False

    @property
    def total(self) -> float:
        return sum(value or 0 for value in self.values)


@dataclass(frozen=True, slots=True)
class Reference:
    """A dashed line across, with words at its right end."""

    value: float
    label: str


@dataclass(frozen=True, slots=True)
class Rect:
    """A bar or a part of one, in percent of the plot."""

    x: str
    y: str
    width: str
    height: str


@dataclass(frozen=True, slots=True)
class Layer:
    """All of one colour."""

    series: Series
    rects: list[Rect] = field(default_factory=list)
    #: Path of a line in a square of 1000.
    path: str = ""
    dots: list[tuple[str, str]] = field(default_factory=list)
    #: What the legend says after the word.
    note: str = ""
    #: Dots are squares.
    is_square: bool = False

    @property
    def bars(self) -> SafeString:
        """The bars as markup of numbers alone."""
        return SafeString(
            "".join(
                f'<rect x="{one.x}%" y="{one.y}%" width="{one.width}%" height="{one.height}%" />'
                for one in self.rects
            )
        )

    @property
    def marks(self) -> SafeString:
        """The dots as markup of numbers alone."""
        if self.is_square:
            text = "".join(f'<rect x="{x}%" y="{y}%" width="5" height="5"/>' for x, y in self.dots)
        else:
            text = "".join(f'<circle cx="{x}%" cy="{y}%" r="2"/>' for x, y in self.dots)
        return SafeString(text)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table twin."""

    label: str
    cells: tuple[str, ...]
    href: str = ""

    def __html__(self) -> str:
        label = escape(self.label)
        if self.href:
            label = SafeString(f'<a href="{escape(self.href)}">{label}</a>')
        cells = "".join(f'<td class="num">{escape(cell)}</td>' for cell in self.cells)
        return f'<tr><th scope="row">{label}</th>{cells}</tr>'


@dataclass(frozen=True, slots=True)
class Hit:
    """What a bar says under the pointer, and where it leads."""

    title: str
    href: str

    def __html__(self) -> str:
        title = escape(self.title)
        if not self.href:
            return f'<span title="{title}"></span>'
        return f'<a tabindex="-1" href="{escape(self.href)}" title="{title}"></a>'


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A figure, ready to be shown. `key` is its id on the page."""

    key: str
    #: bars, lines or dots.
    kind: str = "bars"
    title: str
    #: One sentence: what somebody sees who sees the picture.
    summary: str
    headings: tuple[str, ...]
    rows: list[Row]
    layers: list[Layer] = field(default_factory=list)
    #: Values at the top, the middle and the bottom of the y axis.
    ticks: tuple[str, ...] = ()
    #: Under the x axis, evenly spread.
    labels: tuple[str, ...] = ()
    #: A line across: its place in percent from the top, and its words.
    reference: tuple[str, str] | None = None
    #: Marks on the x axis, as the reference is on the y axis.
    marks: tuple[tuple[str, str], ...] = ()
    #: Where the bar stands whose time is not over.
    partial: Rect | None = None
    hits: tuple[Hit, ...] = ()
    #: Beside the title: "2,000 of 41,212".
    note: str = ""
    #: The list of all that it shows.
    href: str = ""
    is_empty: bool = False

    @property
    def shown_rows(self) -> SafeString:
        """The last ones of the table."""
        return SafeString("".join(row.__html__() for row in self.rows[-MOST_ROWS:]))

    @property
    def shown_hits(self) -> SafeString:
        return SafeString("".join(hit.__html__() for hit in self.hits))

    @property
    def left_out(self) -> int:
        return max(0, len(self.rows) - MOST_ROWS)


class Said(TypedDict, total=False):
    """What may be said of any figure: see `Chart`."""

    summary: str
    note: str
    href: str


@dataclass(frozen=True, slots=True)
class Dot:
    """One thing at a place: `x` from 0 to 1, `y` in units of the axis."""

    x: float
    y: float
    is_bad: bool = False
