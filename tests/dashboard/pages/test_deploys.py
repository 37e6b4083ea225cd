from datetime import timedelta

import pytest
from django.utils import timezone

from runs.lifecycle import codeversions, fleet, sessions
from runs.models import CodeVersion
from tests.support.past import past_run

pytestmark = pytest.mark.django_db


def test_says_that_there_is_none(viewer):
    assert "No version yet" in viewer.get("/deploys").text


def test_tells_versions_apart(viewer):
    codeversions.note("v1", {"mail": "", "report": '{"a": 1}', "old": ""})
    CodeVersion.objects.update(first_at=timezone.now() - timedelta(hours=2))
    codeversions.note("v2", {"mail": "", "report": '{"a": 2}', "new": ""})
    session = sessions.open_session("trackside", slots=2, version="v2", pid=1)
    fleet.register(session.pk, "v2", ["mail"])
    for status in ("COMPLETED", "FAILED"):
        past_run(timezone.now() - timedelta(minutes=2), status, version="v2")
    past_run(timezone.now() - timedelta(minutes=70), version="v1")
    found = viewer.get("/deploys")
    newer, older = found.context["rows"]
    assert (newer.version.name, newer.is_current, newer.clusters) == ("v2", True, 1)
    changes = newer.changes
    assert (changes.added, changes.removed, changes.changed) == (["new"], ["old"], ["report"])
    assert (newer.tally.failure_rate, newer.before, newer.is_worse) == (0.5, 0.0, True)
    assert (older.changes, older.is_current, older.clusters) == (None, False, 0)
    assert "worse than before" in found.text
    token = found.context["token"]
    assert viewer.get(f"/deploys?v={token}", headers={"HX-Request": "true"}).status_code == 204


def test_a_version_is_written_down_once():
    codeversions.note("v1", {"mail": ""})
    codeversions.note("v1", {"mail": ""})
    codeversions.note("v1", {"mail": "", "more": ""})
    codeversions.note("", {"mail": ""})
    assert CodeVersion.objects.get().tasks == '{"mail": "", "more": ""}'
