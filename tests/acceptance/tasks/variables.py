"""Bodies that look at the environment variables people keep in Trackside."""

import os

from engine import task

#: As clients of other services do that are made while a module is imported.
IMPORTED = os.environ.get("SHOP_KEY")


@task(id="look")
def look(payload):
    found = [os.environ.get("SHOP_KEY"), IMPORTED, os.environ.get("TEST_LEDGER")]
    os.environ["SHOP_KEY"] = "of this run"
    return found


@task(id="look-shared")
async def look_shared(payload):
    return [os.environ.get("SHOP_KEY"), IMPORTED, os.environ.get("TEST_LEDGER")]
