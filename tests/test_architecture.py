"""What the import contracts cannot say."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("dashboard", "engine", "runs")
TOP_LEVEL = {
    ".ci", ".gitignore", "CHANGELOG.md", "LICENSE", "Makefile", "README.md", "benchmarks",
    "dashboard", "docs", "engine", "examples", "manage.py", "pyproject.toml",
    "requirements-dev.lock", "requirements-otel.lock", "requirements.lock", "runs", "static", "templates", "tests",
}  # fmt: skip
#: The only places that write a status, and tables a status cannot be missing from.
WRITERS = ("runs/lifecycle/", "runs/sql/", "runs/migrations/")
LONGEST_MODULE, LONGEST_TEMPLATE = 300, 80
#: Settings and one SDK module may be longer.
LONGEST_EXCEPTION = {"dashboard/settings.py": 400, "engine/sdk/tasks.py": 400}


def modules() -> list[Path]:
    found = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return sorted(path for path in found if "migrations" not in path.parts)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def status_writes(tree: ast.AST) -> Iterator[int]:
    """Lines that set an attribute `status` of a run, or pass one to update or create."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and any(map(is_run_status, node.targets)):
            yield node.lineno
    for call in calls(tree):
        writer = isinstance(call.func, ast.Attribute) and call.func.attr in {"update", "create"}
        if writer and any(keyword.arg == "status" for keyword in call.keywords):
            yield call.lineno


def is_run_status(target: ast.expr) -> bool:
    return (
        isinstance(target, ast.Attribute)
        and target.attr == "status"
        and not (isinstance(target.value, ast.Name) and target.value.id == "self")
    )


def test_only_the_lifecycle_writes_a_status():
    found = [
        f"{name(path)}:{line}"
        for path in modules()
        if not name(path).startswith(WRITERS)
        for line in status_writes(ast.parse(path.read_text()))
    ]
    assert not found


@pytest.mark.parametrize(
    "planted",
    [
        "run.status = FAILED",
        "runs.update(status=FAILED)",
        "Run.objects.create(id=1, status=FAILED)",
    ],
)
def test_the_search_for_status_writes_finds_them(planted):
    assert list(status_writes(ast.parse(planted))) == [1]


def test_nothing_is_left_unwritten():
    found = [
        f"{name(path)}:{node.lineno}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Raise) and "NotImplementedError" in ast.dump(node)
    ]
    assert not found


#: Pauses between two tries of something that is away or taken, each in a process with nothing else to do.
BACKS_OFF = {
    "engine/cluster/bookkeeper.py",
    "engine/cluster/lastwords.py",
    "engine/client/trackside/driving.py",
    "engine/cluster/records.py",
    "engine/sdk/notes.py",
    "engine/wakeup.py",
    "runs/sqlite/base.py",
}


def test_the_product_neither_prints_nor_sleeps():
    found = [
        f"{name(path)}:{call.lineno}"
        for path in modules()
        if name(path) not in BACKS_OFF
        for call in calls(ast.parse(path.read_text()))
        if ast.unparse(call.func) in {"print", "time.sleep", "sleep"}
    ]
    assert not found


def test_modules_are_short():
    assert not {
        name(path): lines
        for path in modules()
        if (lines := len(path.read_text().splitlines()))
        > LONGEST_EXCEPTION.get(name(path), LONGEST_MODULE)
    }


def test_templates_are_short():
    templates = (ROOT / "templates").rglob("*.*")
    assert not {
        name(path): lines
        for path in templates
        if (lines := len(path.read_text().splitlines())) > LONGEST_TEMPLATE
    }


def test_the_top_level_holds_nothing_else():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=False, capture_output=True, text=True
    ).stdout.splitlines()
    if not listed:
        pytest.skip("not a git checkout")
    assert {line.partition("/")[0] for line in listed} <= TOP_LEVEL
