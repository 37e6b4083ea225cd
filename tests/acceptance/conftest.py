from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import invariants
from tests.support.postgres import Postgres
from tests.support.site import Cluster, Site, new_site, site_on


failed = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    item.stash[failed] = item.stash.get(failed, False) or report.failed
    return report


@pytest.fixture(scope="module")
def shared_site(tmp_path_factory: pytest.TempPathFactory, django_db_setup, django_db_blocker):
    """One database and one cluster of two workers for tests that leave both as they found them."""
    home = tmp_path_factory.mktemp("site")
    with django_db_blocker.unblock(), new_site(home) as site:
        site.cluster()
        yield site
        site.stop()
        invariants.nothing_left_running(site)


@pytest.fixture
def calm(shared_site: Site, request: pytest.FixtureRequest) -> Iterator[Site]:
    """The shared site; what this test triggered is checked at its end."""
    shared_site.accepted.clear()
    yield shared_site
    if not request.node.stash[failed]:
        invariants.check(shared_site)


@pytest.fixture
def cluster(calm: Site) -> Cluster:
    """The shared cluster, or its successor where a test ended it."""
    return calm.clusters[-1]


@pytest.fixture
def site(
    tmp_path: Path, request: pytest.FixtureRequest, django_db_setup, django_db_blocker
) -> Iterator[Site]:
    """A database of this test's own; everything is checked at its end."""
    with django_db_blocker.unblock(), new_site(tmp_path) as made:
        yield made
        settle(made, request)


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """A PostgreSQL server to break."""
    if request.config.option.database != "postgresql":
        pytest.skip("a fault of PostgreSQL")
    made = Postgres()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def on_server(
    server: Postgres,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    django_db_setup,
    django_db_blocker,
) -> Iterator[Site]:
    """A site on that server."""
    with django_db_blocker.unblock(), site_on(server.url, tmp_path) as made:
        yield made
        settle(made, request)


def settle(site: Site, request: pytest.FixtureRequest) -> None:
    """The end of a test that passed so far."""
    if request.node.stash[failed]:
        return
    invariants.check(site)
    site.stop()
    invariants.nothing_left_running(site)
