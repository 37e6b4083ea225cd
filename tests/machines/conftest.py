"""Several machines in one: by a command of its own, for it takes a minute and root's rights.

python -m pytest --database=postgresql tests/machines
"""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from tests.support.network import GATEWAY, PREFIX, Network, network
from tests.support.plugin import TESTPATHS
from tests.support.postgres import SETTINGS, Postgres
from tests.support.site import Site, kill, site_on


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Left out where the whole suite is asked for."""
    here = str(Path(__file__).parent)
    if config.args_source is TESTPATHS:
        left_out = [item for item in items if str(item.path).startswith(here)]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture
def cables(request: pytest.FixtureRequest) -> Iterator[Network]:
    if request.config.option.database != "postgresql":
        pytest.skip("many machines share one PostgreSQL")
    with network() as made:
        yield made


@pytest.fixture
def server(cables: Network) -> Iterator[Postgres]:
    """A PostgreSQL of this machine that the others reach."""
    made = Postgres(SETTINGS | {"listen_addresses": f"127.0.0.1,{GATEWAY}"})
    made.start()
    with (Path(made._data) / "pg_hba.conf").open("a") as rules:
        rules.write(f"host all all {PREFIX}.0/24 trust\n")
    kill(made.pid, signal.SIGHUP)
    yield made
    made.stop()


@pytest.fixture
def site(server: Postgres, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Site]:
    with ExitStack() as stack:
        stack.enter_context(django_db_blocker.unblock())
        made = stack.enter_context(site_on(server.url, tmp_path))
        stack.enter_context(made.in_view())
        yield made
