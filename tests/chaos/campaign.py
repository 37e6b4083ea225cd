"""One campaign: start all, give the work, strike as planned, wait until it is quiet, gather."""

import pickle
import subprocess
import time
from contextlib import suppress

from django.db import DatabaseError, InterfaceError, connection

from runs.models import Run
from runs.states import OPEN
from tests.chaos import evidence, watching
from tests.chaos.callers import Callers
from tests.chaos.evidence import Evidence
from tests.chaos.field import Field
from tests.chaos.plan import Plan
from tests.chaos.strikes import Striker
from tests.support.waiting import eventually

#: Something ends at least once in so many leases, and seconds that a busy machine adds.
LEASES, BUSY = 4.0, 10.0
#: Nothing comes any more: schedules that are due have fired by then.
STILL = 1.5
#: Seconds between two faults at least.
GAP = 0.15


def run(field: Field, plan: Plan) -> Evidence:
    """Do it all. The evidence is complete even where runs are left over."""
    plan.save(field.home / "plan.json")
    watching.install()
    for part in (*field.nodes, *field.webs):
        part.start()
    for node in field.nodes:
        eventually(lambda node=node: node.is_ready, within=90, every=0.1)
    callers, striker = Callers(field, plan), Striker(field)
    field.log.write("begin")
    callers.start()
    try:
        strike(plan, callers, striker)
        eventually(lambda: callers.is_done, within=600, every=0.05)
        field.log.write("settled")
        quiesce(field, striker)
    finally:
        striker.settle()
        callers.stop()
    found = evidence.of_database(field, plan)
    for cluster in field.site.clusters:
        with suppress(subprocess.TimeoutExpired):  # then it is among the processes that are left
            if cluster.process.poll() is None:
                cluster.stop()
    evidence.after_the_end(field, found)
    (field.home / "evidence.pickle").write_bytes(pickle.dumps(vars(found)))
    return found


def strike(plan: Plan, callers: Callers, striker: Striker) -> None:
    for fault in plan.faults:
        while callers.sent < fault["after"]:
            striker.relaunch()
            time.sleep(0.02)
        striker.strike(fault)
        time.sleep(GAP)
    striker.settle()


def quiesce(field: Field, striker: Striker) -> None:
    """Wait until nothing has been open for a moment, or nothing ended for as long as that may take."""
    last, since = -1, time.monotonic()
    while True:
        striker.relaunch()
        try:
            count = Run.objects.filter(status__in=OPEN).count()
        except (DatabaseError, InterfaceError):
            connection.close()
            continue
        if count != last:
            last, since = count, time.monotonic()
        if time.monotonic() - since > (LEASES * field.lease + BUSY if count else STILL):
            field.log.write("quiet", open=count)
            return
        time.sleep(0.05)
