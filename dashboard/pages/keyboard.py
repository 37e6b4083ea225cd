"""The keyboard, in one table: the script binds from it and the help sheet shows it."""

from dataclasses import dataclass
from functools import cache

from django.urls import reverse
from django.utils.html import json_script
from django.utils.safestring import SafeString


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A key (two letters: one after the other), what it does, and the page's control it presses."""

    keys: str
    does: str
    #: "go:<url name>" opens a page, "act:<name>" presses the control marked so, "do:<name>" is code.
    action: str
    where: str = "Everywhere"


ORDINALS = ("First", "Second", "Third", "Fourth", "Fifth", "Sixth", "Seventh", "Eighth", "Ninth")
SHORTCUTS = (
    Shortcut("?", "This sheet", "go:shortcuts"),
    Shortcut("/", "Jump to a run, task, queue or page", "do:jump"),
    Shortcut("Ctrl+k", "The same, also from within a field", "do:jump"),
    Shortcut("g h", "Tasks", "go:overview"),
    Shortcut("g r", "Runs", "go:runs"),
    Shortcut("g t", "Test", "go:test"),
    Shortcut("g q", "Queues", "go:queues"),
    Shortcut("g s", "Schedules", "go:schedules"),
    Shortcut("g b", "Batches", "go:batches"),
    Shortcut("g e", "Errors", "go:errors"),
    Shortcut("g k", "Wait tokens", "go:waitpoints"),
    Shortcut("g l", "Logs", "go:logs"),
    Shortcut("g m", "Metrics", "go:metrics"),
    Shortcut("g d", "Versions", "go:deploys"),
    Shortcut("g w", "Workers", "go:workers"),
    Shortcut("g v", "Environment variables", "go:variables"),
    Shortcut("g a", "API keys", "go:keys"),
    Shortcut("z", "Undo what was done last, where the page offers it", "act:undo"),
    Shortcut("L", "Pause or resume live updates", "do:live"),
    Shortcut("Escape", "Leave a field, close a menu, drop the selection", "do:escape"),
    Shortcut("j", "Next row", "do:next", "Lists"),
    Shortcut("k", "Previous row", "do:previous", "Lists"),
    Shortcut("o", "Open the row, as Enter does", "do:open", "Lists"),
    Shortcut("y", "Copy the run's id", "do:copy", "Lists and runs"),
    Shortcut("Y", "Copy the page's link", "do:link", "Lists and runs"),
    Shortcut("t", "Test the row's task, or the task", "act:test", "Tasks"),
    Shortcut("x", "Select the row", "do:pick", "Runs"),
    Shortcut("X", "Select up to the row", "do:span", "Runs"),
    Shortcut("a", "Select the page", "do:page", "Runs"),
    Shortcut("b", "More to do with the selection", "act:bulk", "Runs"),
    Shortcut("f", "First filter", "do:filter", "Runs"),
    Shortcut("F", "Clear the filters", "act:clear", "Runs"),
    Shortcut("v", "Save the list as a view", "act:save", "Runs"),
    Shortcut("n", "Older page", "act:older", "Runs"),
    Shortcut("p", "Newer page", "act:newer", "Runs"),
    Shortcut("[", "Narrower time range", "act:narrower", "Runs"),
    Shortcut("]", "Wider time range", "act:wider", "Runs"),
    Shortcut("r", "Replay the row, the run or the selection", "act:replay", "Lists and runs"),
    Shortcut("c", "Cancel the row, the run or the selection", "act:cancel", "Lists and runs"),
    *(
        Shortcut(str(number), f"{word} tab", f"act:tab{number}", "One run")
        for number, word in enumerate(ORDINALS, 1)
    ),
    Shortcut("d", "Compare", "act:compare", "One run"),
    Shortcut("J", "Older run of the list", "act:older-run", "One run"),
    Shortcut("K", "Newer run of the list", "act:newer-run", "One run"),
    Shortcut(".", "More to do with the row or the run", "act:more", "Lists and runs"),
    Shortcut("e", "Only what failed", "act:failed", "One run"),
    Shortcut("q", "Time in the queue", "act:queue-time", "One run"),
    Shortcut("u", "Up to the list", "act:up", "One run"),
    Shortcut("P", "Parent run", "act:parent", "One run"),
    Shortcut("T", "Root run", "act:root", "One run"),
    Shortcut("Ctrl+Enter", "Send the form", "do:submit", "Forms"),
)


def bindings() -> list[dict[str, str]]:
    """The table for the script, with the addresses of pages."""
    return [_binding(shortcut) for shortcut in SHORTCUTS]


@cache
def script(prefix: str) -> SafeString:
    """The table as it stands in a page; `prefix` is where addresses begin."""
    return json_script(bindings(), "bindings")


def _binding(shortcut: Shortcut) -> dict[str, str]:
    kind, _, name = shortcut.action.partition(":")
    bound = {"keys": shortcut.keys, "action": shortcut.action}
    return bound | ({"href": reverse(f"dashboard:{name}")} if kind == "go" else {})
