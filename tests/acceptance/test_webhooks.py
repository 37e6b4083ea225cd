"""A delivery of another service becomes a run of a real cluster, once (DEC-17)."""

import hmac
import json

import pytest
from django.test import Client

from runs.models import Run

pytestmark = pytest.mark.acceptance
SECRET = "of the tests"


@pytest.fixture(autouse=True)
def _secret(monkeypatch):
    monkeypatch.setenv("TEST_WEBHOOK_SECRET", SECRET)


def deliver(ref, signed_with=SECRET):
    body = json.dumps({"ref": ref}).encode()
    signature = hmac.new(signed_with.encode(), body, "sha256").hexdigest()
    return Client().post(
        "/webhooks/tests/pushes",
        body,
        content_type="application/json",
        headers={
            "X-Hub-Signature-256": f"sha256={signature}",
            "X-GitHub-Delivery": f"of-{ref}",
            "X-GitHub-Event": "push",
        },
    )


def test_a_delivery_is_executed_once_and_a_forged_one_never(calm):
    answers = [deliver("main"), deliver("main"), deliver("forged", signed_with="a guess")]
    assert [answer.status_code for answer in answers] == [202, 202, 401]
    run_id = answers[0].json()["id"]
    assert answers[1].json() == {"id": run_id, "isCached": True}
    calm.accepted.append(run_id)
    run = calm.completed(run_id)
    output = json.loads(run.output)
    assert (output["ref"], output["event"], run.attempt_number) == ("main", "push", 2)
    assert len(calm.entered(run_id)) == 2
    assert Run.objects.filter(task_id="delivered").count() == 1
    # measured: the attempt has its own time, the run that of both
    assert 100 <= output["attempt_ms"] < output["total_ms"]
    assert output["total_ms"] >= 200
    assert abs(run.usage_ms - output["total_ms"]) < 100
