"""Reads which tasks a file would define, without running it."""

import ast
from collections.abc import Iterator
from pathlib import Path


def declared_task_ids(path: Path) -> set[str]:
    """Ids of the functions decorated with our `task`; empty for a file that does not parse."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError, OSError):
        return set()
    names = set(decorator_names(tree))
    return {
        found
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for decorator in node.decorator_list
        if (found := task_id(decorator, node.name, names))
    }


def decorator_names(tree: ast.Module) -> Iterator[str]:
    """What our decorators are called in this file: `task`, `engine.task`, `schedules.task`, or an alias."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "engine":
            for alias in node.names:
                yield from called(alias.asname or alias.name, alias.name)
        elif isinstance(node, ast.Import):
            for name in (
                alias.asname or alias.name for alias in node.names if alias.name == "engine"
            ):
                yield from (f"{name}.task", f"{name}.schedules.task")


def called(name: str, original: str) -> Iterator[str]:
    """The decorator that something imported from `engine` as `name` is, or has."""
    if original == "task":
        yield name
    elif original == "schedules":
        yield f"{name}.task"


def task_id(decorator: ast.expr, function: str, names: set[str]) -> str:
    """The id a decorator gives, or empty if it is not ours or its id is computed."""
    call = decorator if isinstance(decorator, ast.Call) else None
    if ast.unparse(call.func if call else decorator) not in names:
        return ""
    stated = next((k.value for k in call.keywords if k.arg == "id"), None) if call else None
    if stated is None:
        return function
    computed = not isinstance(stated, ast.Constant) or not isinstance(stated.value, str)
    return "" if computed else str(ast.literal_eval(stated))
