"""The bars of a trace, one small SVG a row. Patterns are told apart without colour, too."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

from django.utils.safestring import SafeString

from dashboard import presenters
from dashboard.pages.timescale import Scale, percent
from runs.reads import trace_nodes
from runs.reads.intervals import Interval
from runs.reads.trace_nodes import Node
from runs.reads.trace_times import Times, span

#: Labels stand right of a bar that ends before this, else in one that is this wide, else left of it.
RIGHT, WIDE = 88.0, 12.0
BROKEN = (trace_nodes.ERROR, trace_nodes.CUT)
#: Parts of the small overview above.
PARTS = 160


@dataclass(frozen=True, slots=True)
class Lanes:
    """Draws nodes on one scale."""

    scale: Scale
    times: Times
    now: datetime

    def drawn(self, node: Node) -> SafeString:
        start, end = self._seen(node)
        took = escape(presenters.duration_text(end - start))
        inner = f"{self._before(node)}{self._bar(node, start, end)}{self._rest(node)}"
        return SafeString(
            f'<svg class="ln" role="img" aria-label="{self._told(node, start, took)}">'
            f"{inner}{self._label(node, start, end, took)}</svg>"
        )

    def _told(self, node: Node, start: datetime, took: str) -> str:
        """When it began and how long it took, for ears."""
        after = escape(presenters.duration_text(max(start - self.scale.origin, timedelta())))
        return f"after {after}, {'so far ' if node.is_open else ''}{took}"

    def _seen(self, node: Node) -> Interval:
        """Of a run from its claim on."""
        start, end = span(node, self.now)
        return (node.begun_at or start, end)

    # -- pieces -------------------------------------------------------------------------------------

    def _before(self, node: Node) -> str:
        """A run's time in its queue."""
        if not node.status:
            return ""
        return self._line("q", node.started_at, node.begun_at or node.ended_at or self.now)

    def _bar(self, node: Node, start: datetime, end: datetime) -> str:
        if node.kind == "queue":
            return self._line("q", start, end)
        if node.kind in ("run", "attempt"):
            return self._executed(node, start, end)
        if node.status:
            return self._child(node, end)
        if node.kind == "wait":
            return self._rect(start, end, ' class="w" fill="url(#pat-w)"', y=11, height=6)
        return self._solid(node, start, end)

    def _executed(self, node: Node, start: datetime, end: datetime) -> str:
        """A thin line for as long as it lasted, and a bar wherever it executed."""
        if node.kind == "run" and node.begun_at is None:
            return ""
        is_run = node.kind == "run"
        some = self.times.executing if is_run else self.times.by_attempt.get(node.attempt, [])
        pieces = "".join(self._piece(node, one, end) for one in some)
        return self._line("l", start, end) + pieces + self._cross(node, end)

    def _piece(self, node: Node, one: Interval, end: datetime) -> str:
        goes_on = node.is_open and one[1] >= end and node.state != trace_nodes.WAITING
        if goes_on:
            return self._rect(*one, ' class="g" fill="url(#pat-g)"')
        if node.state == trace_nodes.WAITING:
            return self._rect(*one, ' class="a" rx="2"')
        hatch = self._rect(*one, ' class="h" fill="url(#pat-h)"') if node.state in BROKEN else ""
        return self._rect(*one, ' rx="2"') + hatch

    def _child(self, node: Node, end: datetime) -> str:
        if node.begun_at is None:
            return self._cross(node, end)
        if node.state == trace_nodes.WAITING:
            return self._rect(node.begun_at, end, ' class="w" fill="url(#pat-w)"', y=11, height=6)
        return self._solid(node, node.begun_at, end)

    def _solid(self, node: Node, start: datetime, end: datetime) -> str:
        return self._piece(node, (start, end), end) + self._cross(node, end)

    def _rest(self, node: Node) -> str:
        """Until the next attempt."""
        if node.ended_at is None or node.rests_until is None:
            return ""
        left, right = self.scale.at(node.ended_at), self.scale.at(node.rests_until)
        text = ""
        if right - left > WIDE:
            words = escape(presenters.duration_text(node.rests_until - node.ended_at))
            text = (
                f'<text class="m" x="{percent((left + right) / 2)}" y="10">retry in {words}</text>'
            )
        return self._line("r", node.ended_at, node.rests_until) + text

    def _rect(
        self, start: datetime, end: datetime, more: str, *, y: int = 9, height: int = 10
    ) -> str:
        left = self.scale.at(start)
        width = percent(max(self.scale.at(end) - left, 0.0))
        return f'<rect x="{percent(left)}" width="{width}" y="{y}" height="{height}"{more}/>'

    def _line(self, kind: str, start: datetime, end: datetime) -> str:
        left, right = self.scale.at(start), self.scale.at(end)
        if right <= left:
            return ""
        return f'<line class="{kind}" x1="{percent(left)}" x2="{percent(right)}" y1="14" y2="14"/>'

    def _cross(self, node: Node, end: datetime) -> str:
        return (
            f'<use href="#pat-x" x="{percent(self.scale.at(end))}"/>'
            if node.state in BROKEN
            else ""
        )

    def _label(self, node: Node, start: datetime, end: datetime, text: str) -> str:
        """How long it took, where there is room."""
        if node.is_open:
            text = f'<tspan data-since="{start.isoformat()}">{text}</tspan>'
        left, right = self.scale.at(start), self.scale.at(end)
        is_wide = right - left > WIDE
        if right < RIGHT and node.rests_until is None:
            gap = 14 if node.state in BROKEN else 6
            return f'<text x="{percent(right)}" dx="{gap}" y="18">{text}</text>'
        if is_wide and node.kind not in ("wait", "queue") and not node.is_open:
            return f'<text class="i" x="{percent(right)}" dx="-7" y="18">{text}</text>'
        if is_wide:
            y = 10 if node.kind == "queue" or node.begun_at is None else 18  # beside a thin line
            return f'<text class="e" x="{percent(right)}" dx="-6" y="{y}">{text}</text>'
        return f'<text class="e" x="{percent(left)}" dx="-6" y="18">{text}</text>'


def overview(nodes: list[Node], scale: Scale, now: datetime) -> SafeString:
    """How much was open at a time, and where something failed."""
    counts = [0] * (PARTS + 1)
    failed = set()
    for node in nodes:
        if node.kind in ("run", "attempt", "queue"):
            continue
        start, end = span(node, now)
        first, last = int(scale.at(start) * PARTS / 100), int(scale.at(end) * PARTS / 100)
        counts[min(first, PARTS - 1)] += 1
        counts[min(last, PARTS - 1) + 1] -= 1
        if node.state in BROKEN:
            failed.add(min(last, PARTS - 1))
    most, open_now, bars = 1, 0, []
    for count in counts[:PARTS]:
        open_now += count
        bars.append(open_now)
        most = max(most, open_now)
    path = "".join(
        f"M{index} 24v-{max(20 * count / most, 1):.1f}" for index, count in enumerate(bars) if count
    )
    marks = "".join(f"M{index} 0v24" for index in sorted(failed))
    return SafeString(f'<path d="{path}"/><path class="t-bad" d="{marks}"/>')
