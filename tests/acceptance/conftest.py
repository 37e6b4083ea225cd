from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from tests.support import invariants
from tests.support.client import JavaScript
from tests.support.judging import ended, failed, used
from tests.support.postgres import Postgres
from tests.support.site import Cluster, Site, new_site, new_template, site_on
from tests.support.web import Web, serving


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[failed] = item.stash.get(failed, False) or report.failed
    return report


@pytest.fixture(scope="session")
def template(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[str]:
    """A migrated database to copy."""
    home = tmp_path_factory.mktemp("template")
    with django_db_blocker.unblock(), new_template(home) as made, django_db_blocker.block():
        yield made


@pytest.fixture
def site(
    template: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Site]:
    """A database of this test's own; everything is checked at its end."""
    with django_db_blocker.unblock(), new_site(template, tmp_path) as made, made.in_view():
        yield made
        if not request.node.stash[failed]:
            invariants.check(made)
            ended(made)


# Of the package: a cluster costs time also while it only waits.
@pytest.fixture(scope="package")
def shared_site(
    template: str, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Iterator[Site]:
    """One database and one cluster of two workers for tests that leave both as they found them."""
    home = tmp_path_factory.mktemp("shared")
    with django_db_blocker.unblock(), new_site(template, home) as made:
        with made.in_view():
            made.cluster()
        with django_db_blocker.block():
            yield made
        ended(made)


@pytest.fixture
def calm(
    shared_site: Site, request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker
) -> Iterator[Site]:
    """The shared site; what this test triggered is checked at its end."""
    with django_db_blocker.unblock():
        yield from used(shared_site, request)


@pytest.fixture
def cluster(calm: Site) -> Cluster:
    """The shared cluster."""
    return calm.clusters[-1]


@pytest.fixture(scope="package")
def shared_web(shared_site: Site, django_db_blocker: DjangoDbBlocker) -> Iterator[Web]:
    """A web server on the shared site's database."""
    with django_db_blocker.unblock(), shared_site.in_view():
        serves = serving(shared_site.instance)
        made = serves.__enter__()
    yield made
    serves.__exit__(None, None, None)


@pytest.fixture
def web(calm: Site, shared_web: Web) -> Web:
    """The shared web server, whose runs the shared cluster executes."""
    return shared_web


@pytest.fixture(scope="package")
def shared_client(shared_web: Web) -> Iterator[JavaScript]:
    made = JavaScript(shared_web.url, shared_web.key)
    yield made
    made.close()


@pytest.fixture
def js(web: Web, shared_client: JavaScript) -> JavaScript:
    """The reference's client: `js("runs.retrieve", id)` calls what client/runs.mjs exports."""
    return shared_client


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """A PostgreSQL server to break; whoever breaks it starts it again."""
    if request.config.option.database != "postgresql":
        pytest.skip("a fault of PostgreSQL")
    made = Postgres()
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def site_on_server(
    server: Postgres, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Iterator[Site]:
    """A site with two clusters on that server."""
    home = tmp_path_factory.mktemp("on-server")
    with django_db_blocker.unblock(), site_on(server.url, home) as made:
        with made.in_view():
            made.cluster()
            made.cluster()
        with django_db_blocker.block():
            yield made
        ended(made)


@pytest.fixture
def on_server(
    site_on_server: Site, request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker
) -> Iterator[Site]:
    """That site; what this test triggered is checked at its end."""
    with django_db_blocker.unblock():
        yield from used(site_on_server, request)
