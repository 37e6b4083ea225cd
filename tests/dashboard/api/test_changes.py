import hashlib
from datetime import timedelta

import pytest
from django.utils import timezone

from runs.models import Run
from tests.support import factories

pytestmark = pytest.mark.django_db


def test_a_delayed_run_is_rescheduled(api):
    factories.task()
    run_id = factories.delayed_run().id
    answer = api.post(f"/api/v1/runs/{run_id}/reschedule", {"delay": "2h"})
    told = answer.json()
    assert (answer.status_code, told["id"], told["status"]) == (200, run_id, "DELAYED")
    due = Run.objects.get(pk=run_id).delay_until
    assert abs(due - timezone.now() - timedelta(hours=2)) < timedelta(minutes=1)
    moment = (timezone.now() + timedelta(days=3)).replace(microsecond=0)
    api.post(f"/api/v1/runs/{run_id}/reschedule", {"delay": moment.isoformat()})
    assert Run.objects.get(pk=run_id).delay_until == moment


def test_only_a_delayed_run_is_rescheduled(api):
    factories.task()
    run_id = factories.queued_run().id
    answer = api.post(f"/api/v1/runs/{run_id}/reschedule", {"delay": "2h"})
    assert (answer.status_code, "QUEUED" in answer.json()["error"]) == (400, True)
    assert Run.objects.get(pk=run_id).status == "QUEUED"


@pytest.mark.parametrize("body", [None, {}, {"delay": "banana"}, {"delay": 5}, {"at": "1h"}])
def test_refuses_odd_delays(api, body):
    factories.task()
    run_id = factories.delayed_run().id
    assert api.post(f"/api/v1/runs/{run_id}/reschedule", body).status_code == 400


@pytest.mark.parametrize("is_hashed", [False, True])
def test_a_key_that_was_reset_makes_a_run_again(api, is_hashed):
    factories.task()
    key = "order/17"
    first = api.trigger("send", {"options": {"idempotencyKey": key}}).json()
    assert api.trigger("send", {"options": {"idempotencyKey": key}}).json()["isCached"] is True
    named = hashlib.sha256(key.encode()).hexdigest() if is_hashed else key
    path = f"/api/v1/idempotencyKeys/{named}/reset"
    assert api.post(path, {"taskIdentifier": "other"}).status_code == 404
    assert api.post(path, {"taskIdentifier": "send"}).json() == {"id": named}
    assert api.post(path, {"taskIdentifier": "send"}).status_code == 404
    again = api.trigger("send", {"options": {"idempotencyKey": key}}).json()
    assert (again["isCached"], again["id"] == first["id"]) == (False, False)
