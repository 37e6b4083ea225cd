"""Sites that many tests use: each test answers for what it did, the last one for what is left."""

from collections.abc import Iterator

import pytest

from tests.support import invariants
from tests.support.site import Site

failed = pytest.StashKey[bool]()


def used(site: Site, request: pytest.FixtureRequest) -> Iterator[Site]:
    """Lend the site to one test; what it triggered is checked at its end."""
    site.accepted.clear()
    with site.in_view():
        yield site
        if not request.node.stash[failed]:
            invariants.check(site)


def ended(site: Site) -> None:
    site.stop()
    invariants.nothing_left_running(site)
