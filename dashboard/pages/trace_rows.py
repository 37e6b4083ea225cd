"""The rows of the Trace tab, put together here: a template takes twice as long, and there may be a thousand."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from html import escape
from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.safestring import SafeString

from dashboard import presenters
from dashboard.pages.trace_lanes import Lanes
from dashboard.templatetags.trackside import icon
from runs.reads import trace_nodes
from runs.reads.trace_nodes import Node

#: Deeper ones are drawn here.
DEEPEST = 24
#: Characters of a name and of an error in a row; the inspector has all.
NAME, ERROR = 120, 160
ICON = "trackside.icon"

#: Word, tone and glyph of a row's state.
STATES = {
    trace_nodes.OPEN: ("Running", "active", "executing"),
    trace_nodes.OK: ("", "ok", "completed"),
    trace_nodes.ERROR: ("Failed", "bad", "failed"),
    trace_nodes.CANCELED: ("Canceled", "idle", "canceled"),
    trace_nodes.CUT: ("Cut off", "warn", "crashed"),
    trace_nodes.WAITING: ("Waiting", "parked", "waiting"),
}
KINDS = {
    "run": ("Run", "runs"),
    "queue": ("Queue", "queues"),
    "attempt": ("Attempt", "completed"),
    "step": ("Step", "tick"),
    "wait": ("Wait", "delayed"),
    "child": ("Child run", "tasks"),
    "token": ("Wait token", "user"),
    "user": ("Span", "span"),
    "hook": ("Hook", "hook"),
    "http": ("HTTP request", "http"),
    "try": ("Try", "replay"),
    "dropped": ("Dropped", "stop"),
}
WORSE = ("bad", "warn")


class Standing(NamedTuple):
    """How a node stands: word (empty where the glyph says it all), tone, glyph."""

    word: str
    tone: str
    glyph: str


def standing(node: Node) -> Standing:
    """A run by its status, everything else by its state."""
    own = KINDS.get(node.kind, KINDS["user"])[1]
    if node.status:
        look = presenters.LOOKS[node.status]
        return Standing(look.word, look.tone, look.glyph)
    word, tone, glyph = STATES[node.state]
    if node.kind == "queue":
        return Standing("", "idle", own)
    if node.kind == "wait" and node.state == trace_nodes.OK:
        return Standing("", "parked", own)
    return Standing(word, tone, own if node.state == trace_nodes.OK else glyph)


def is_bad(node: Node) -> bool:
    return standing(node).tone in WORSE


def tree(nodes: Sequence[Node], lanes: Lanes, link: str, chosen: str) -> SafeString:
    """Nested lists. `link` is the address of the view a row's name leads to, its id is added."""
    return SafeString("".join(_nested(nodes, lanes, link, chosen)))


def _nested(nodes: Sequence[Node], lanes: Lanes, link: str, chosen: str) -> Iterator[str]:
    """What opens a part stands beside its row: nothing that is pressed is in something that is."""
    above = nodes[0].depth if nodes else 0
    depths = [min(node.depth - above, DEEPEST) for node in nodes]
    # where a sprite lies is looked up once, not for each of a thousand rows
    icons = cache(icon)
    for index, node in enumerate(nodes):
        depth, following = depths[index], depths[index + 1] if index + 1 < len(nodes) else 0
        row = _row(node, lanes, icons, link, depth, is_chosen=node.id == chosen)
        if following > depth:
            sign = f'<summary class="cv d{depth}" aria-label="Rows in it"></summary>'
            yield f"<li>{row}<details open>{sign}<ul>"
            continue
        closing = "</ul></details></li>" * (depth - following)
        yield f"<li>{row}</li>{closing}\n"


def _row(
    node: Node,
    lanes: Lanes,
    icons: Callable[[str, str], str],
    link: str,
    depth: int,
    *,
    is_chosen: bool,
) -> str:
    """Kinds and tones are our own words."""
    word, tone, glyph = standing(node)
    here = ' aria-current="true"' if is_chosen else ""
    name = f'<a id="S{node.id}" href="{link}{node.id}" data-open{here}>{_own_icon(node)}{escape(node.name[:NAME])}</a>'
    state = f" <b>{word}</b>" if word else ""
    error = f" <em>{escape(node.error[:ERROR])}</em>" if node.error else ""
    kind = KINDS.get(node.kind, KINDS["user"])[0]
    spin = "spin" if glyph == "executing" and node.is_open else ""
    signs = f'{icons(glyph, spin)}<span class="hidden-text">{kind}: </span>'
    return (
        f'<div class="tr t-{tone} d{depth} k-{node.kind}" data-row><span class="nm">{signs}{name}'
        f"{_opened(node)}{state}{error}</span>{lanes.drawn(node)}</div>"
    )


def _own_icon(node: Node) -> str:
    """The author's."""
    if ICON not in node.attributes:
        return ""
    own = node.told[0].get(ICON, "")
    return f'<span aria-hidden="true">{escape(str(own))} </span>' if own else ""


def _opened(node: Node) -> str:
    """The way to what it is about."""
    if not (address := target(node)):
        return ""
    name = escape(presenters.short_id(node.target))
    return f' <a class="go" href="{address}">{name}</a>'


def target(node: Node) -> str:
    """The page of the run or token it is about."""
    if not node.target or node.kind == "run":
        return ""
    if node.target.startswith("run_"):
        return reverse("dashboard:run", args=[node.target])
    return reverse("dashboard:waitpoint", args=[node.target])


def kept(nodes: Sequence[Node], wanted: Any) -> list[Node]:
    """Those that are `wanted`, and what they are in."""
    found: list[Node] = []
    depth = -1
    for node in reversed(nodes):
        if wanted(node):
            depth = node.depth
        elif node.depth >= depth:
            continue
        found.append(node)
        depth = node.depth
    return found[::-1]
