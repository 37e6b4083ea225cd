"""Signatures, by the examples that the services publish."""

import base64
import hashlib
import hmac

import pytest
from django.http.request import HttpHeaders

from dashboard import webhooks
from dashboard.webhooks import BadSignature, NotSetUp
from engine import webhook

SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F"
    b"96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
EXAMPLES = {
    "github": (
        webhook.github("p", secret="HOOK"),
        "It's a Secret to Everybody",
        {
            "X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        },
        b"Hello, World!",
        0,
    ),
    "slack": (
        webhook.slack("p", secret="HOOK"),
        "8f742231b10e8888abcd99yyyzzz85a5",
        {
            "X-Slack-Request-Timestamp": "1531420618",
            "X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        },
        SLACK_BODY,
        1531420618,
    ),
    "standard": (
        webhook.standard("p", secret="HOOK"),
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
        b'{"test": 2432232314}',
        1614265330,
    ),
    "stripe": (
        webhook.stripe("p", secret="HOOK"),
        "whsec_test",
        {
            "Stripe-Signature": "t=1700000000,v1="
            + hmac.new(b"whsec_test", b'1700000000.{"id":"evt_1"}', "sha256").hexdigest()
            + ",v0=00"
        },
        b'{"id":"evt_1"}',
        1700000000,
    ),
    "own": (
        webhook("p", secret="HOOK", header="X-Hmac", encoding="base64", algorithm="sha512"),
        "key",
        {"X-Hmac": base64.b64encode(hmac.new(b"key", b"{}", hashlib.sha512).digest()).decode()},
        b"{}",
        0,
    ),
}


def headers_of(given):
    return HttpHeaders({f"HTTP_{name.upper().replace('-', '_')}": v for name, v in given.items()})


@pytest.fixture(params=EXAMPLES)
def example(request, monkeypatch):
    rule, secret, headers, body, now = EXAMPLES[request.param]
    monkeypatch.setenv("HOOK", secret)
    return rule, headers_of(headers), body, now


def test_takes_what_the_service_publishes(example):
    webhooks.verify(*example)


def test_refuses_a_changed_body(example):
    rule, headers, body, now = example
    with pytest.raises(BadSignature, match="is not that of HOOK"):
        webhooks.verify(rule, headers, body + b" ", now)


def test_refuses_another_secret(example, monkeypatch):
    monkeypatch.setenv("HOOK", "whsec_" + base64.b64encode(b"another").decode())
    with pytest.raises(BadSignature, match="is not that of HOOK"):
        webhooks.verify(*example)


def test_refuses_what_is_not_signed(example):
    rule, headers, body, now = example
    left = {name: value for name, value in headers.items() if name.lower() != rule.header.lower()}
    with pytest.raises(BadSignature):
        webhooks.verify(rule, headers_of(left), body, now)


def test_refuses_a_moment_far_away(example):
    rule, headers, body, now = example
    if not rule.is_timed:
        return
    for later in (301, -301):
        with pytest.raises(BadSignature, match="the tolerance is 300 s"):
            webhooks.verify(rule, headers, body, now + later)
    webhooks.verify(rule, headers, body, now + 299)


def test_one_of_several_secrets_and_signatures_suffices(monkeypatch):
    monkeypatch.setenv("OLD", "old")
    monkeypatch.setenv("NEW", "new")
    rule = webhook.stripe("p", secret=["NEW", "OLD"])
    right = hmac.new(b"old", b"9.{}", "sha256").hexdigest()
    header = f"t=9, v1={'0' * 64}, v1={right}, v1=not-hex"
    webhooks.verify(rule, headers_of({"Stripe-Signature": header}), b"{}", 9)


@pytest.mark.parametrize("text", ["", "t=", "t=x,v1=00", "t=1.5,v1=00", "t=9,v1=", "t=9", "v1=00"])
def test_refuses_a_broken_header(monkeypatch, text):
    monkeypatch.setenv("HOOK", "s")
    rule = webhook.stripe("p", secret="HOOK")
    with pytest.raises(BadSignature):
        webhooks.verify(rule, headers_of({"Stripe-Signature": text}), b"{}", 9)


def test_without_a_secret_nothing_is_verified(monkeypatch, settings):
    rule = webhook.github("p", secret="NO_SUCH_SECRET")
    with pytest.raises(NotSetUp, match="NO_SUCH_SECRET"):
        webhooks.verify(rule, headers_of({}), b"", 0)
    assert webhooks.missing(rule) == ["NO_SUCH_SECRET"]
    settings.NO_SUCH_SECRET = "x"
    assert webhooks.missing(rule) == []


def test_a_secret_that_is_no_key_is_not_set_up(monkeypatch):
    monkeypatch.setenv("HOOK", "whsec_no base64")
    with pytest.raises(NotSetUp, match="not base64"):
        webhooks.verify(webhook.standard("p", secret="HOOK"), headers_of({}), b"", 0)
