"""Every page that answers a GET, in both themes and three widths, with demo data in it."""

import re
from collections import defaultdict
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.support import axe, places

pytestmark = [
    pytest.mark.system,
    pytest.mark.django_db(transaction=True),
    # what a browser shows does not depend on the database
    pytest.mark.once,
    pytest.mark.timeout(400),
]
WIDE, MIDDLE, NARROW = 1440, 900, 390
#: Ids, which differ where a problem is the same.
VARYING = re.compile(r"\w*_01\w{24}|\b[A-Z]?[0-9a-f]{16}\b|#L\d+|nth-child\(\d+\)")
#: Where a problem is known and being mended: part of its line.
KNOWN: tuple[str, ...] = ()


def test_axe_finds_nothing(filled: Page):
    found: dict[str, list[str]] = defaultdict(list)
    filled.context.add_init_script(axe.source())
    for address in places.addresses():
        filled.set_viewport_size({"width": WIDE, "height": 900})
        filled.emulate_media(color_scheme="light")
        filled.goto(address)
        axe.shorten(filled)
        for problem in looked_at(filled):
            if not is_known(address, problem):
                found[VARYING.sub("·", problem)].append(address)
    assert not found, "\n".join(told(found))


def is_known(address: str, problem: str) -> bool:
    page, _, tab = address.partition("?tab=")
    return any(
        problem.startswith(rule) and (f"?tab={tab}" if tab else page.partition("?")[0]) == where
        for where, _, rule in (known.partition(" ") for known in KNOWN)
    )


def looked_at(page: Page) -> Iterator[str]:
    """The whole of it once; then what the width and the theme may change."""
    yield from axe.problems(page)
    for width, theme in ((MIDDLE, "dark"), (NARROW, "light")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme)
        for problem in axe.problems(page, looks_only=True):
            yield f"{problem} ({theme}, {width} px)"
        yield from sideways(page, width)


def sideways(page: Page, width: int) -> Iterator[str]:
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        yield f"wider than the window ({width} px)"


def told(found: dict[str, list[str]]) -> Iterator[str]:
    for problem, addresses in found.items():
        pages = list(dict.fromkeys(addresses))
        more = f" and {len(pages) - 5} more" if len(pages) > 5 else ""
        yield f"\n{', '.join(pages[:5])}{more}: {problem}"
