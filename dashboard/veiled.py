"""What is read of the database for somebody, with no more in it than he may see."""

from collections.abc import Iterable
from datetime import datetime

from dashboard import sight
from runs import redaction
from runs.models import ErrorGroup, Run
from runs.reads import trace as reading
from runs.reads.grammar import Term
from runs.reads.trace import Trace


def trace(run: Run, now: datetime, after: int = 0) -> Trace:
    """The trace of a run; `after` as in `runs.reads.trace`."""
    found = reading.of(run, now, after)
    for node in found.rows:
        node.name, node.error = sight.name(node.name), sight.text(node.error)
        node.attributes = sight.document(node.attributes, "attributes")
    return found


def payload(run: Run) -> str | None:
    """The payload of a run, as text of JSON."""
    return (
        None if run.payload is None or sight.is_hidden() else sight.document(run.payload, "payload")
    )


def refused(term: Term) -> str:
    """Why a search may not ask for this: an answer would tell what is not shown. Empty where it may."""
    if not (term.document or term.name == "error"):
        return ""
    if sight.is_hidden():
        what = "messages of errors" if term.name == "error" else f"the {term.document}"
        return f"Your role may not see {what}, and so not search for it."
    rules = redaction.rules()
    if term.document and rules.hides_below(term.document, term.path):
        return f"{term.name} is redacted: nobody can search for it."
    if any(rules.text(text) != text for text in term.texts):
        return "What you search for is redacted wherever it stands: nobody can search for it."
    return ""


def groups(found: Iterable[ErrorGroup], search: str) -> list[ErrorGroup]:
    """Error groups with their messages masked; those that only what is masked made fit are left out."""
    words, shown = search.lower().split()[:8], []
    for group in found:
        group.message = sight.text(group.message)
        text = f"{group.name} {group.message} {group.place}".lower()
        if all(word in text for word in words):
            shown.append(group)
    return shown
