"""A chart of lines over a logarithmic scale, as SVG that stands alone.

Own code: one picture does not need matplotlib's 40 MB in everybody's test environment.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 200, 40, 48
COLOURS = ("#2563eb", "#059669", "#d97706", "#9333ea")
STYLE = "font-family='system-ui, sans-serif' font-size='12' fill='#334155'"


class Line(NamedTuple):
    """Points from left to right; `x` above zero."""

    name: str
    points: Sequence[tuple[float, float]]


def chart(title: str, across: str, up: str, lines: Sequence[Line]) -> str:
    """The picture's text. The vertical axis begins at zero."""
    every = [point for line in lines for point in line.points]
    ends = [math.log10(x) for x, _ in every]
    decades = range(math.floor(min(ends)), math.ceil(max(ends)) + 1)
    most = _rounded(max(y for _, y in every))

    def place(x: float, y: float) -> tuple[float, float]:
        share = (math.log10(x) - decades[0]) / max(decades[-1] - decades[0], 1)
        wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        return LEFT + share * wide, TOP + (1 - y / most) * high

    parts = [_text(LEFT, 22, title, "font-weight='600'")]
    for step in range(5):
        value = most * step / 4
        _, y = place(10 ** decades[0], value)
        parts.append(f"<path d='M{LEFT} {y:.1f}H{WIDTH - RIGHT}' stroke='#e2e8f0'/>")
        parts.append(_text(LEFT - 8, y + 4, f"{value:,.0f}", "text-anchor='end'"))
    for decade in decades:
        x, y = place(10**decade, 0)
        parts.append(_text(x, y + 18, f"{10**decade:,}", "text-anchor='middle'"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, across, "text-anchor='middle'"))
    parts.append(_text(8, TOP - 8, up, ""))
    for number, line in enumerate(lines):
        parts += _drawn(line, [place(*point) for point in line.points], number)
    head = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' role='img'>"
    ground = f"<rect width='{WIDTH}' height='{HEIGHT}' fill='#ffffff'/>"
    return "\n".join([head, f"<title>{escape(title)}</title>", ground, *parts, "</svg>", ""])


def _drawn(line: Line, places: Sequence[tuple[float, float]], number: int) -> list[str]:
    """The line, its points and its entry in the legend."""
    colour = COLOURS[number % len(COLOURS)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    x, y = WIDTH - RIGHT + 20, TOP + 20 + 22 * number
    return [
        f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2'/>",
        *(f"<circle cx='{a:.1f}' cy='{b:.1f}' r='3' fill='{colour}'/>" for a, b in places),
        f"<path d='M{x} {y - 4}h18' stroke='{colour}' stroke-width='2'/>",
        _text(x + 24, y, line.name, ""),
    ]


def _text(x: float, y: float, text: str, more: str) -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' {STYLE} {more}>{escape(text)}</text>"


def _rounded(most: float) -> float:
    """The next one, two, four, six or eight of a power of ten."""
    power = 10 ** math.floor(math.log10(most))
    return next(power * step for step in (1, 2, 4, 6, 8, 10) if power * step >= most)
