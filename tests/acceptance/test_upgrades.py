"""The steps of docs/deployment.md: an upgrade over a backlog, a backup and what is made of it."""

import signal
import sqlite3
import subprocess
import uuid

import pytest
from django.db import connection, transaction

from engine import wait
from runs.models import Run
from runs.states import RunStatus
from tests.support import invariants
from tests.support.instance import ROOT, administrate, url_of
from tests.support.judging import ended
from tests.support.postgres import program
from tests.support.waiting import eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]
#: A later release, which changes the busiest table.
SETTINGS = """
from dashboard.settings import *

MIGRATION_MODULES = {"runs": "later"}
"""
PACKAGE = "import runs.migrations\n\n__path__ += runs.migrations.__path__\n"
MIGRATION = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("runs", "0002_guards_and_verbs")]
    operations = [migrations.AddField("run", "colour", models.TextField(null=True))]
"""


def later_release(home):
    """The environment in which commands are those of it."""
    (home / "later").mkdir()
    (home / "later" / "__init__.py").write_text(PACKAGE)
    (home / "later" / "0003_later.py").write_text(MIGRATION)
    (home / "settings_later.py").write_text(SETTINGS)
    return {"DJANGO_SETTINGS_MODULE": "settings_later", "PYTHONPATH": f"{home}:{ROOT}"}


def waiting(site):
    """A run that waits for a token."""
    token = wait.create_token()
    run_id = site.trigger("saga", {"token": token.id})
    eventually(lambda: site.run(run_id).status == RunStatus.WAITING)
    return run_id, token


def test_an_upgrade_over_a_backlog(site):
    if connection.vendor != "postgresql":
        pytest.skip("on SQLite everything is stopped for it")
    old = site.cluster(TRACKSIDE_VERSION="1")
    (saga, token), (held, until) = waiting(site), site.hold()
    site.trigger_many("work", [{"seconds": 0.05}] * 100)
    later = later_release(site.home)

    refused = site.instance.manage("qcluster", **later)
    assert (refused.returncode, refused.stderr) == (
        1,
        "The database is not up to date. Run this first: python manage.py migrate\n",
    )
    hurried = f"{site.url}?options=-c%20lock_timeout%3D200ms"
    with transaction.atomic():  # somebody's long transaction
        Run.objects.select_for_update().get(pk=held)
        failed = site.instance.manage("migrate", **later, DATABASE_URL=hurried)
    assert failed.returncode
    assert "canceling statement due to lock timeout" in failed.stderr
    done = site.instance.manage("migrate", **later, DATABASE_URL=hurried.replace("200ms", "9s"))
    assert done.returncode == 0, done.stderr

    assert site.run(held).status == RunStatus.EXECUTING
    site.completed(site.trigger("work"))
    site.cluster(TRACKSIDE_VERSION="2", **later)
    old.process.terminate()
    assert old.ended() == 0
    until.touch()
    wait.complete_token(token, {"approved": True})
    assert site.completed(held).version == "2"  # handed back by the last of version 1
    assert site.completed(saga).output == '{"approved":true}'


def test_a_restored_backup_goes_on(site):
    cluster = site.cluster()
    (saga, token), (held, until) = waiting(site), site.hold()
    delayed = site.trigger("work", delay=1)
    url = restored(site)
    cluster.send(signal.SIGKILL)
    cluster.ended()
    site.instance.environment["DATABASE_URL"] = url
    with site.in_view():
        site.cluster()
        until.touch()
        wait.complete_token(token, {"approved": True})
        assert site.completed(held).attempt_number == 2
        assert site.completed(saga).output == '{"approved":true}'
        site.completed(delayed)
        invariants.one_end_each(site)  # what the first database saw meanwhile is seen again
        invariants.nothing_is_held(site)
        ended(site)
    # the first database, which the fixture shows again, has ended with its cluster
    site.accepted.clear()
    site.ledger.unlink()


def restored(site):
    """A copy that was made while runs are executed, on another database."""
    if connection.vendor == "sqlite":
        copy = site.home / "restored.sqlite3"
        with sqlite3.connect(connection.settings_dict["NAME"]) as link:
            link.execute("VACUUM INTO ?", [str(copy)])
        link.close()
        return f"sqlite:///{copy}"
    name, dump = f"restored_{uuid.uuid4().hex[:12]}", site.home / "backup.dump"
    subprocess.run([program("pg_dump"), "-Fc", "-f", dump, site.url], check=True)
    administrate(f"CREATE DATABASE {name}")
    subprocess.run([program("pg_restore"), "-d", url_of(name), dump], check=True)
    return url_of(name)
