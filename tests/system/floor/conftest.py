import pytest
from django.core.management import call_command
from playwright.sync_api import Page

from runs.lifecycle import apikeys, envvars


@pytest.fixture
def filled(person: Page) -> Page:
    """Somebody who may do everything, before a database with something of every kind."""
    made = {"with_executing": 3, "with_queued": 5, "with_schedules": True}
    call_command("demo", runs=120, verbosity=0, **made)
    apikeys.create("ci", actor="user:olga")
    envvars.put({"LOG_LEVEL": "debug"}, actor="user:olga")
    return person
