"""The tab of payload, output and metadata: as a tree, as stored, formatted, or in canonical order."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString

from dashboard.pages import documents, json_parts, json_tree
from dashboard.pages.documents import HIGHLIGHT, Document
from dashboard.pages.json_parts import TooMany
from runs.models import Run

VIEWS = {
    "": "Tree",
    "stored": "As stored",
    "formatted": "Formatted",
    "canonical": "Canonical",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """One of the three on screen; `document` is None where there is none."""

    name: str
    title: str
    document: Document | None = None
    tree: SafeString | None = None
    #: What is copied of a tree.
    text: str = ""


def context(run: Run, request: HttpRequest) -> dict[str, Any]:
    """What the tab's template shows."""
    row = Run.objects.only(*Run.objects.all().HEAVY).get(pk=run.pk)
    view = request.GET.get("view", "")
    view = view if view in VIEWS else ""
    return {
        "documents": [
            shown("payload", "Payload", row.payload, view),
            shown("output", "Output", row.output, view),
            shown("metadata", "Metadata", row.metadata, view),
        ],
        "view": view,
        "views": VIEWS.items(),
        "live_query": f"view={view}" if view else "",
    }


def shown(name: str, title: str, text: str | None, view: str) -> Shown:
    """The text of a column; what is long is text in every view."""
    if text is None:
        return Shown(name, title)
    document = documents.show(text, name, formatted=view == "formatted")
    if document.hidden or len(text) > HIGHLIGHT or view in ("stored", "formatted"):
        return Shown(name, title, document)
    seen = documents.text(text, name)
    if view == "canonical":
        return Shown(name, title, canonical(seen) or document)
    return Shown(name, title, document, json_tree.drawn(seen, name), seen)


def canonical(text: str) -> Document | None:
    """The document in one spelling, to be compared by eye; None for what is too large."""
    try:
        return documents.coloured("".join(json_parts.canonical(json_parts.parsed(text))))
    except TooMany:
        return None
