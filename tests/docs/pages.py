"""The Python of a documentation page."""

import re
from pathlib import Path
from types import ModuleType

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[tuple[int, str]]:
    """The line each block begins at, and its code."""
    text = (DOCS / page).read_text()
    return [
        (text.count("\n", 0, found.start(1)) + 1, found.group(1)) for found in BLOCK.finditer(text)
    ]


def executed(page: str, module: ModuleType | None = None) -> ModuleType:
    """All blocks of a page, executed one after the other as if they were one file."""
    module = module or ModuleType(f"docs.{page}")
    for line, code in blocks(page):
        source = "\n" * (line - 1) + code
        exec(compile(source, str(DOCS / page), "exec"), vars(module))
    return module
