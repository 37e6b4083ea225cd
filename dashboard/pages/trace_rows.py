"""A row of the Trace tab, put together here: a template takes twice as long, and there may be a thousand."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from dashboard import presenters
from runs.reads.trace_nodes import Node, SpanEvent

#: Attributes of a row, and characters of a value and of an error.
ATTRIBUTES, VALUE, ERROR = 40, 500, 300


def drawn(
    node: Node, *, classes: str, title: str, noted: str, lane: str, after: str, took: str
) -> SafeString:
    """The row. All but the node is markup already, or made of our own words."""
    head = f"{title}{noted}"
    if noted:
        head = f'<details id="A{node.id}"><summary>{head}</details>'
    problem = f"<p>{escape(Truncator(node.error).chars(ERROR))}</p>" if node.error else ""
    return SafeString(
        f'<tr id="S{node.id}" class="{classes}"><th scope="row">{head}{problem}</th>'
        f'<td class="lane">{lane}</td><td class="num after">{after}</td>'
        f'<td class="num">{took}</td></tr>\n'
    )


def titled(node: Node, sign: str, word: str) -> str:
    """Its kind, its name as a link, and how it stands."""
    is_run = node.target.startswith("run_")
    run = (
        f' <span class="mono dim">{escape(presenters.short_id(node.target))}</span>'
        if is_run
        else ""
    )
    state = f" <b>{word}</b>" if word else ""
    return f'{sign}<a class="quiet" href="{address(node)}">{escape(node.name)}</a>{run}{state}'


def noted(node: Node, facts: Mapping[str, Any], events: list[SpanEvent]) -> str:
    """How many attributes and events it has, the end of the summary, and what they are."""
    if not facts and not events:
        return ""
    shown = list(facts.items())[:ATTRIBUTES]
    counts = [f'{len(shown)}<span class="hidden-text"> attributes</span>'] if shown else []
    if events:
        counts.append(f"{len(events)} event{'' if len(events) == 1 else 's'}")
    terms = [*((name, text_of(value)) for name, value in shown), *map(happened(node), events)]
    rows = "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in terms)
    return f" <i>{', '.join(counts)}</i></summary><dl>{rows}</dl>"


def happened(node: Node) -> Any:
    """When an event happened, counted from the row's beginning, what, and what was noted of it."""

    def told(event: SpanEvent) -> tuple[str, str]:
        after = presenters.duration_text(max(event.at - node.started_at, timedelta()))
        facts = ", ".join(f"{name}: {text_of(value)}" for name, value in event.attributes.items())
        return f"+{after} {event.name}", facts or "–"

    return told


def address(node: Node) -> str:
    """Where its name leads: to the run or token it is about, else to itself alone."""
    if node.target.startswith("run_"):
        return reverse("dashboard:run", args=[node.target]) + "?tab=trace"
    if node.target:
        return reverse("dashboard:waitpoint", args=[node.target])
    return f"?tab=trace&amp;span={node.id}"


def text_of(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= VALUE else f"{text[:VALUE]}…"
