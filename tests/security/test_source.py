"""What the code may not do at all, read from the code itself."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("dashboard", "engine", "runs")
#: Calls that turn data into a program.
PROGRAMS = {
    "eval", "exec", "compile", "__import__", "pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.load",
    "marshal.loads", "shelve.open", "yaml.load", "yaml.unsafe_load", "pydoc.locate", "dill.loads", "os.system",
    "os.popen", "import_module", "importlib.import_module", "import_string", "ast.literal_eval", "jsonpickle.decode",
}  # fmt: skip
#: Where they stand, and what they are given: never anything from the database or a request.
ALLOWED = {
    "dashboard/launch/assets.py": "a name in the settings",
    "dashboard/launch/web.py": "a name in the settings",
    "dashboard/monitoring/traces.py": "packages of a list of ours",
    "dashboard/people/sessions.py": "a name in the settings",
    "dashboard/realtime/__init__.py": "a name in the settings",
    "engine/cluster/bookkeeper.py": "a socket pair, from the process that started this one",
    "engine/cluster/channels.py": "a socket pair, from the process that started this one",
    "engine/cluster/lastwords.py": "memory of this very process",
    "engine/declared.py": "source of task files, which is executed anyway",
    "engine/discovery.py": "task files, named by the settings",
    "engine/testing/__init__.py": "a module of ours, by its name",
}
#: Rules for security (flake8-bandit, in ruff) that a line may switch off, where somebody has looked: SQL and markup
#: of our own words, pickles of our own processes, an address that is recognised, a log line that must come out.
SWITCHED_OFF = {"S104", "S112", "S301", "S308", "S606", "S608"}


def sources():
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts:
                yield str(path.relative_to(ROOT)), path.read_text()


#: Reading every file as a tree takes seconds; few have such a word at all.
WORDS = re.compile(r"\b(" + "|".join({name.rpartition(".")[2] for name in PROGRAMS}) + r")\(")


def programs(text):
    if not WORDS.search(text):
        return set()
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    return {
        name for call in calls if (name := ast.unparse(call.func)) in PROGRAMS and not is_ours(call)
    }


def is_ours(call):
    """Whether it imports what is written out in the code itself."""
    return (
        "import" in ast.unparse(call.func)
        and bool(call.args)
        and isinstance(call.args[0], ast.Constant)
    )


def test_nothing_that_is_stored_is_executed():
    assert {name for name, text in sources() if programs(text)} - set(ALLOWED) == set()


@pytest.mark.parametrize(
    "planted", ["pickle.loads(row.value)", "x = eval(text)", "import_string(schedule.func)()"]
)
def test_the_search_for_programs_finds_them(planted):
    assert programs(planted)


def test_rules_for_security_hold_everywhere():
    """Ruff has bandit's rules; they are on, and off in few lines that are known."""
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "S" in ruff["select"]
    assert {rule for rule in ruff["ignore"] if rule.startswith("S")} <= {"S101", "S311", "S603"}
    switched = re.compile(r"# noqa: ([A-Z0-9, ]+)")
    found = [
        (name, rule)
        for name, text in sources()
        for rules in switched.findall(text)
        for rule in re.findall(r"\bS[0-9]+", rules)
    ]
    assert not [one for one in found if one[1] not in SWITCHED_OFF]
    # few enough to read them all
    assert 5 < len(found) < 30, found


def test_templates_escape_everything():
    texts = {path: path.read_text() for path in (ROOT / "templates").rglob("*.html")}
    off = re.compile(r"\|\s*safe\b|\|\s*safeseq\b|autoescape\s+off")
    assert not [str(path) for path, text in texts.items() if off.search(text)]


def test_scripts_write_texts_and_no_markup():
    """What a script puts into a page by itself is text; only what our own server rendered is markup."""
    ours = [
        path
        for path in (ROOT / "static/dashboard").rglob("*.js")
        if "vendor" not in path.parts and "htmx" not in path.name
    ]
    off = re.compile(
        r"\beval\(|new Function\(|document\.write\(|insertAdjacentHTML\(|outerHTML\s*="
    )
    assert len(ours) > 3
    assert not [path.name for path in ours if off.search(path.read_text())]


def test_a_cross_site_cookie_and_a_pickled_session_are_nowhere():
    text = (ROOT / "dashboard/settings.py").read_text()
    assert "PickleSerializer" not in text
    assert "SameSite=None" not in text
