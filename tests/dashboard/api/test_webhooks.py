import hmac
import json
import time
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.utils import timezone

from engine import webhook
from runs.models import Idempotency, Run
from tests.support import factories

SECRET = "It's a Secret to Everybody"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
RULES = {
    "github": webhook.github("shop/pushes", secret="HOOK"),
    "stripe": webhook.stripe("shop/pushes", secret="HOOK"),
    "slack": webhook.slack("shop/pushes", secret="HOOK"),
    "plain": webhook("shop/pushes", secret="HOOK", header="X-Sig", headers=["X-Kind"]),
}


@pytest.fixture(autouse=True)
def _secret(monkeypatch, db):
    monkeypatch.setenv("HOOK", SECRET)


def declare(kind="github", task_id="pushed", **facts):
    rule = RULES[kind]
    return factories.task(task_id, webhook=rule.to_json(), webhook_path=rule.path, **facts)


def digest(text):
    return hmac.new(SECRET.encode(), text, "sha256").hexdigest()


def signed(body, kind="github", at=None, **headers):
    """The headers the service would send with `body`."""
    at = str(int(time.time() if at is None else at))
    moment = at.encode()
    made = {
        "github": {"X-Hub-Signature-256": f"sha256={digest(body)}", "X-GitHub-Delivery": "d-1"},
        "stripe": {"Stripe-Signature": f"t={at},v1={digest(moment + b'.' + body)}"},
        "slack": {
            "X-Slack-Request-Timestamp": at,
            "X-Slack-Signature": f"v0={digest(b'v0:' + moment + b':' + body)}",
        },
        "plain": {"X-Sig": digest(body)},
    }
    return made[kind] | headers


def post(body=b"{}", headers=None, path="shop/pushes", content_type=JSON):
    sent = signed(body) if headers is None else headers
    return Client(enforce_csrf_checks=True).post(
        f"/webhooks/{path}", body, content_type=content_type, headers=sent
    )


def test_a_delivery_makes_a_run():
    declare()
    body = '{"ref": "refs/heads/main", "größe": 1e2}'.encode()
    answer = post(body, signed(body, **{"X-GitHub-Event": "push"}))
    assert answer.status_code == 202
    run = Run.objects.get()
    assert answer.json() == {"id": run.pk, "isCached": False}
    assert (run.task_id, run.payload.encode(), run.source) == ("pushed", body, "webhook")
    assert run.actor == "webhook:shop/pushes"
    told = json.loads(run.metadata)["webhook"]
    assert (told["path"], told["id"]) == ("shop/pushes", "d-1")
    assert told["headers"] == {"x-github-event": "push"}


def test_a_delivery_may_be_part_of_its_senders_trace():
    declare()
    sender = f"00-{'a' * 32}-{'b' * 16}-01"
    post(headers=signed(b"{}", traceparent=sender))
    assert Run.objects.get().traceparent == sender


def test_a_delivery_that_comes_again_answers_with_the_first_run():
    declare()
    first, second = post(), post()
    assert second.status_code == 202
    assert second.json() == {"id": first.json()["id"], "isCached": True}
    other = post(headers=signed(b"{}", **{"X-GitHub-Delivery": "d-2"}))
    assert other.json()["id"] != first.json()["id"]


def test_a_delivery_is_forgotten_in_time():
    declare()
    first = post()
    kept = Idempotency.objects.get()
    assert timedelta(days=2.9) < kept.expires_at - timezone.now() <= timedelta(days=3)
    Idempotency.objects.update(expires_at=timezone.now())
    assert post().json()["id"] != first.json()["id"]


@pytest.mark.parametrize("kind", ["stripe", "slack"])
def test_ids_in_the_body_are_known_again(kind):
    declare(kind)
    name = "id" if kind == "stripe" else "event_id"
    body = json.dumps({name: "evt_1"}).encode()
    now = time.time()
    first = post(body, signed(body, kind, at=now))
    again = post(body, signed(body, kind, at=now + 60))
    assert again.json() == {"id": first.json()["id"], "isCached": True}


def test_without_an_id_the_signed_moment_and_body_are_one():
    declare("slack")
    body, now = b"command=%2Fdeploy&text=", time.time()
    first = post(body, signed(body, "slack", at=now), content_type=FORM)
    played_back = post(body, signed(body, "slack", at=now), content_type=FORM)
    later = post(body, signed(body, "slack", at=now + 1), content_type=FORM)
    assert played_back.json() == {"id": first.json()["id"], "isCached": True}
    assert later.json()["isCached"] is False


def test_without_anything_to_know_it_by_each_delivery_is_one():
    declare("plain")
    made = [post(headers=signed(b"{}", "plain", **{"X-Kind": "a"})).json()["id"] for _ in "ab"]
    assert len(set(made)) == 2
    assert json.loads(Run.objects.first().metadata)["webhook"]["headers"] == {"x-kind": "a"}


@pytest.mark.parametrize(
    ("body", "payload"),
    [
        (urlencode({"payload": '{"a": [1, 2]}'}), '{"a": [1, 2]}'),
        ("a=1&b=x+y&a=2&c=", '{"a":["1","2"],"b":"x y","c":""}'),
        ("payload=1&other=2", '{"payload":"1","other":"2"}'),
    ],
)
def test_forms_become_json(body, payload):
    declare()
    answer = post(body.encode(), content_type=FORM)
    assert answer.status_code == 202
    assert Run.objects.get().payload == payload


def test_slack_is_told_that_the_address_is_ours():
    declare("slack")
    body = b'{"type": "url_verification", "challenge": "3eZbrw1aB", "token": "x"}'
    answer = post(body, signed(body, "slack"))
    assert answer.json() == {"challenge": "3eZbrw1aB"}
    assert not Run.objects.exists()
    assert post(body, signed(b"other", "slack")).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Hub-Signature-256": "sha256="},
        {"X-Hub-Signature-256": "sha256=" + "0" * 64},
        {"X-Hub-Signature-256": digest(b"{}")},
        {"X-Hub-Signature": "sha1=" + "0" * 40},
        {"X-Hub-Signature-256": "sha256=\xff"},
    ],
)
def test_a_bad_signature_is_refused_and_logged(headers, caplog):
    declare()
    answer = post(headers=headers)
    assert answer.status_code == 401
    assert answer.json() == {"error": "The signature is missing, wrong or too old."}
    assert "Webhook shop/pushes of task pushed refused a delivery from 127.0.0.1" in caplog.text
    assert SECRET not in caplog.text
    assert not Run.objects.exists()


def test_without_the_secret_the_operator_is_told_and_not_the_caller(monkeypatch, caplog):
    monkeypatch.delenv("HOOK")
    declare()
    answer = post()
    assert answer.status_code == 503
    assert "HOOK" not in answer.text
    assert "neither the environment nor the settings of the web server have HOOK" in caplog.text


@pytest.mark.parametrize("path", ["other", "shop", "shop/pushes/", "shop/pushes%00", "x" * 500])
def test_an_unknown_address_is_a_404(path):
    declare()
    factories.task("without")
    assert post(path=path).status_code == 404


def test_a_task_that_is_gone_has_no_address():
    declare(active=False)
    assert post().status_code == 404


def test_a_broken_task_keeps_its_address_and_the_run_waits():
    declare(broken=True)
    assert post().status_code == 202
    assert Run.objects.get().status == "PENDING_VERSION"


def test_of_two_versions_the_newer_has_the_address():
    declare(task_id="old", registered_at=timezone.now() - timedelta(hours=1))
    declare(task_id="new")
    post()
    assert Run.objects.get().task_id == "new"


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch", "head"])
def test_other_methods_are_refused(method):
    declare()
    answer = getattr(Client(), method)("/webhooks/shop/pushes")
    assert (answer.status_code, answer["allow"]) == (405, "POST")


@pytest.mark.parametrize("body", [b"", b" ", b"{", b"NaN", b"{}{}", b"\xff", b"[" * 100])
def test_what_is_signed_but_no_json_is_a_400(body):
    declare()
    assert post(body).status_code == 400
    assert not Run.objects.exists()


def test_a_payload_the_schema_refuses_is_a_400():
    declare(schema='{"type": "object", "required": ["ref"]}')
    assert post().status_code == 400
    assert post(b'{"ref": 1}').status_code == 202


def test_a_large_body_is_refused_before_it_is_read(settings):
    settings.TRACKSIDE = {"PAYLOAD_LIMIT": 1000}
    declare()
    assert post(b'"' + b"x" * 1000 + b'"').status_code == 413
    assert post(b'"' + b"x" * 900 + b'"').status_code == 202


def test_other_kinds_of_body_are_refused():
    declare()
    assert post(b"--x", content_type="multipart/form-data; boundary=x").status_code == 415


def test_the_key_in_the_payload_is_found():
    declare(config='{"concurrency_key": "$.repository.id"}')
    post(b'{"repository": {"id": 7}}')
    assert Run.objects.get().concurrency_key == "7"


def test_a_long_id_is_known_again():
    declare()
    headers = signed(b"{}", **{"X-GitHub-Delivery": "d" * 5000})
    assert post(headers=headers).json()["id"] == post(headers=headers).json()["id"]


def test_an_id_that_cannot_be_stored_is_refused():
    declare("stripe")
    body = b'{"id": "\\u0000"}'
    assert post(body, signed(body, "stripe")).status_code == 400
    body = b'{"id": {"no": "id"}}'
    assert post(body, signed(body, "stripe")).status_code == 202
