"""docs/coming-from-trigger-dev.md shows code that is executed, and names what exists."""

import re

import pytest

import engine
from engine.sdk import hookkinds
from engine.sdk.hooks import Hooks
from engine.sdk.metadata import Metadata
from engine.sdk.options import CHECKS
from engine.sdk.retries import Retry
from engine.sdk.tasks import OPTIONS, Task, Tasks
from engine.sdk.waits import Waits
from runs import conf
from tests.docs import pages

PAGE = "coming-from-trigger-dev.md"
TEXT = (pages.DOCS / PAGE).read_text()
EXAMPLES = "\n".join(
    path.read_text() for path in sorted((pages.DOCS.parent / "examples" / "tasks").glob("*.py"))
)
#: A name of ours with what follows it, in the middle column of a table.
CALL = re.compile(r"`(?:await |@)?([a-z_]+)\.([a-z_]+)")
WORD = re.compile(r"`([a-z_]+|[A-Z_]+)=?[(…`]")
NOUNS = {
    "hooks": Hooks, "metadata": Metadata, "retry": Retry, "tasks": Tasks, "wait": Waits,
    "tags": type(engine.tags), "runs": type(engine.runs), "idempotency_keys": type(engine.idempotency_keys), "batch": type(engine.batch), "webhook": type(engine.webhook), "schedules": type(engine.schedules), "locals": type(engine.locals),
    "logger": type(engine.logger), "ctx": engine.Context, "usage": type(engine.usage),
}  # fmt: skip
#: What our own columns call by a bare name.
KNOWN = (
    {*vars(engine), *OPTIONS, *CHECKS, *hookkinds.NAMES, *conf.DEFAULTS, *dir(Task), *dir(Waits)}
    | {"call_next", "next", "run", "payload", "signal", "init", "with", "try", "print", "logging"}
    | {"retry_delay", "get_or_raise", "set", "delete", "trackside", "run_error", "step"}
    | {
        "on_error",
        "retry_after",
        "total_limit",
        "rate_limit",
        "catch_up",
        "output",
        "only",
        "never",
    }
    | {"test", "datetime", "TRACKSIDE_VERSION", *dir(engine.Span)}
)


@pytest.mark.parametrize(("line", "code"), pages.blocks(PAGE))
def test_the_snippet_is_part_of_an_example(line, code):
    """`examples/tests` executes all of them."""
    assert code.strip("\n") in EXAMPLES, f"{PAGE}:{line}"


def ours():
    """The column that says how it is written here."""
    for line in TEXT.partition("## Feature by feature")[2].splitlines():
        cells = [cell.strip() for cell in line.replace("\\|", "").split(" | ")]
        if line.startswith("| ") and len(cells) >= 2:
            yield cells[1]


def test_what_the_table_names_exists():
    calls = [found for cell in ours() for found in CALL.findall(cell) if found[1] != "py"]
    assert len(calls) > 10
    missing = [call for call in calls if call[0] in NOUNS and not reaches(NOUNS[call[0]], call[1])]
    assert missing == []


def reaches(noun, name):
    return hasattr(noun, name) or name in getattr(noun, "__annotations__", {})


def test_bare_names_of_the_table_exist():
    words = {word for cell in ours() for word in WORD.findall(cell)}
    assert len(words) > 30
    assert sorted(words - KNOWN) == []


def test_the_pages_it_links_to_exist():
    links = re.findall(r"\]\(([a-z-]+\.md)(#[a-z-]+)?\)", TEXT)
    assert links
    for page, anchor in links:
        headings = re.findall(r"^#+ (.*)$", (pages.DOCS / page).read_text(), re.MULTILINE)
        anchors = {
            "#" + re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-") for head in headings
        }
        assert not anchor or anchor in anchors, (page, anchor)
