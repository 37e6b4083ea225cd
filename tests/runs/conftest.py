import pytest

from runs.lifecycle import definitions


@pytest.fixture(autouse=True)
def _nothing_remembered():
    definitions.forget()
