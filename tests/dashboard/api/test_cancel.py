import pytest

from runs import lifecycle
from runs.ids import new_id
from runs.models import AuditLog, Run, Source
from runs.states import RunStatus

pytestmark = pytest.mark.django_db


def made(**options):
    asked = lifecycle.TriggerOptions(**options)
    return lifecycle.trigger("hello", "1", asked, source=Source.API).run_id


def cancel(api, run_id, body=None):
    return api.post(f"/api/v2/runs/{run_id}/cancel", body)


def test_cancels_a_run_without_a_body(api):
    run_id = made()
    answer = cancel(api, run_id)
    assert (answer.status_code, answer.json()) == (200, {"id": run_id})
    assert Run.objects.get().status == RunStatus.CANCELED
    assert AuditLog.objects.get(action="run.cancel").actor == "key:tests"


def test_a_finished_run_stays_as_it_is(api):
    run_id = made()
    cancel(api, run_id)
    assert cancel(api, run_id).json() == {"id": run_id}
    assert AuditLog.objects.filter(action="run.cancel").count() == 1


def test_keeps_the_reason_and_on_request_the_children(api):
    parent = made()
    child = made(parent_id=parent)
    assert cancel(api, parent, {"reason": "a mistake", "keepChildren": True}).status_code == 200
    assert Run.objects.get(pk=parent).reason == "a mistake"
    assert Run.objects.get(pk=child).status != RunStatus.CANCELED


@pytest.mark.parametrize("body", [{"why": "x"}, {"reason": 1}, [1], {"reason": "x" * 1001}])
def test_refuses_what_it_does_not_understand(api, body):
    assert cancel(api, made(), body).status_code == 400


def test_a_reason_that_cannot_be_stored_is_refused(api):
    for reason in ("a\x00b", "\ud800"):
        assert cancel(api, made(), {"reason": reason}).status_code == 400


def test_an_unknown_run_is_not_found(api):
    answer = cancel(api, new_id("run"))
    assert (answer.status_code, answer["x-should-retry"]) == (404, "false")
