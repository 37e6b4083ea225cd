"""Every page that answers a GET, in both themes and three widths, with demo data in it."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Page

from tests.support import axe, places

pytestmark = [
    pytest.mark.system,
    pytest.mark.django_db(transaction=True),
    # what a browser shows does not depend on the database
    pytest.mark.once,
    pytest.mark.timeout(600),
]
WIDE, MIDDLE, NARROW = 1440, 900, 390
Theme = Literal["light", "dark"]
#: What follows the wide and light one, in the order that changes least.
OTHERS: list[tuple[int, Theme, list[str]]] = [
    (WIDE, "dark", axe.COLOURS),
    (MIDDLE, "dark", axe.COLOURS),
    (MIDDLE, "light", axe.LOOKS),
    (NARROW, "light", axe.LOOKS),
    (NARROW, "dark", axe.COLOURS),
]
#: Ids, which differ where a problem is the same.
VARYING = re.compile(r"\w*_01\w{24}|\b[A-Z]?[0-9a-f]{16}\b|#L\d+|nth-child\(\d+\)")
#: Where a problem is known and being mended: part of its line.
KNOWN: tuple[str, ...] = ()


def test_axe_finds_nothing(filled: Page):
    found: dict[str, list[str]] = defaultdict(list)
    filled.context.add_init_script(axe.source())
    axes = axe.Axe()
    for address in places.addresses():
        look(filled, WIDE, "light")
        filled.goto(address)
        axes.open(filled)
        for problem in looked_at(filled):
            if not is_known(address, problem):
                found[VARYING.sub("·", problem)].append(address)
    assert not found, "\n".join(told(found))


BARE = '<html lang="en"><title>Bare</title><main><h1>Bare</h1>{}</main></html>'


def test_only_what_is_built_as_on_other_pages_is_left_out(page: Page):
    page.context.add_init_script(axe.source())
    page.goto("about:blank")
    axes = axe.Axe()

    def found(content: str) -> list[str]:
        page.set_content(BARE.format(content))
        axes.open(page)
        return axe.problems(page)

    assert not found("<p>one</p>")
    assert not found("<p>other</p>")
    assert "button-name" in found("<p>third</p><p><button></button></p>")[0]
    assert not found("<p>fourth</p><p><button></button></p>")
    assert "button-name" in found('<p class="next"><button></button></p>')[0]


def is_known(address: str, problem: str) -> bool:
    page, _, tab = address.partition("?tab=")
    return any(
        problem.startswith(rule) and (f"?tab={tab}" if tab else page.partition("?")[0]) == where
        for where, _, rule in (known.partition(" ") for known in KNOWN)
    )


def looked_at(page: Page) -> Iterator[str]:
    """The whole of it once; then what another theme and another width may change."""
    yield from axe.problems(page)
    for width, theme, rules in OTHERS:
        look(page, width, theme)
        for problem in axe.problems(page, rules):
            yield f"{problem} ({theme}, {width} px)"
        yield from sideways(page, width)


def look(page: Page, width: int, theme: Theme) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=theme)


def sideways(page: Page, width: int) -> Iterator[str]:
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        yield f"wider than the window ({width} px)"


def told(found: dict[str, list[str]]) -> Iterator[str]:
    for problem, addresses in found.items():
        pages = list(dict.fromkeys(addresses))
        more = f" and {len(pages) - 5} more" if len(pages) > 5 else ""
        yield f"\n{', '.join(pages[:5])}{more}: {problem}"
