"""Deliveries to webhook tasks: whose address it is, and whether the signature is right.

Own code of a page instead of a package: the schemes differ only in what is signed and how it is
written, which is data here, so that one comparison serves them all and a service with a scheme of
its own. A vendor's package knows its own scheme alone and brings an HTTP client with it. All of them
are tested with the examples that GitHub, Slack and Standard Webhooks publish.
"""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.conf import settings

from runs import conf
from runs.models import Task
from runs.webhooks import Webhook

#: More signatures in one header are not looked at.
MOST_SIGNATURES = 10
#: What Standard Webhooks writes before a secret.
KEY_PREFIX = "whsec_"


class BadSignature(Exception):
    """A delivery that does not prove who sent it; the sentence is for the operator's log."""


class NotSetUp(Exception):
    """The web process does not have the secret; the sentence is for the operator's log."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A task and its webhook."""

    task_id: str
    rule: Webhook


def endpoint(path: str) -> Endpoint | None:
    """The task at an address. While two versions of the code run it may be in two: the newer one."""
    found = Task.objects.filter(webhook_path=path, active=True).exclude(webhook_path="")
    row = found.order_by("-registered_at").values_list("pk", "webhook").first()
    return None if row is None else Endpoint(row[0], Webhook.from_json(row[1]))


def address(rule: Webhook) -> str:
    """Where a service is told to send deliveries."""
    return f"{str(conf.get('URL')).rstrip('/')}/webhooks/{rule.path}"


def missing(rule: Webhook) -> list[str]:
    """Names of secrets that this process does not have."""
    return [name for name in rule.secrets if not _secret(name)]


def verify(rule: Webhook, headers: Mapping[str, str], body: bytes, now: float) -> None:
    """Raise BadSignature unless one of the secrets has signed `body`, and lately."""
    keys = list(_keys(rule))
    given = list(_signatures(rule, headers))
    signed = _before(rule, headers, now) + body
    if not given:
        raise BadSignature(f"no signature in the header {rule.header}")
    right = False
    for key in keys:
        digest = hmac.new(key, signed, rule.algorithm).digest()
        for signature in given:  # all of them, whichever is right
            right |= hmac.compare_digest(signature, digest)
    if not right:
        raise BadSignature(f"the signature in {rule.header} is not that of {_names(rule)}")


def fingerprint(rule: Webhook, headers: Mapping[str, str], body: bytes, now: float) -> str:
    """Tells one signed moment and body from others."""
    return hashlib.sha256(_before(rule, headers, now) + body).hexdigest()


def _keys(rule: Webhook) -> Iterator[bytes]:
    """The keys this process has. Raises NotSetUp."""
    found = [secret for name in rule.secrets if (secret := _secret(name))]
    if not found:
        raise NotSetUp(
            f"neither the environment nor the settings of the web server have {_names(rule)}"
        )
    for secret in found:
        yield secret.encode() if rule.key == "text" else _decoded(secret, rule)


def _decoded(secret: str, rule: Webhook) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(KEY_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise NotSetUp(f"{_names(rule)} is not base64 as {KEY_PREFIX}…") from None


def _secret(name: str) -> str:
    return os.environ.get(name, "") or str(getattr(settings, name, "") or "")


def _names(rule: Webhook) -> str:
    return " or ".join(rule.secrets)


def _parts(rule: Webhook, headers: Mapping[str, str]) -> list[str]:
    text = headers.get(rule.header, "")
    parts = text.split(rule.separator) if rule.separator else [text]
    return [part.strip() for part in parts]


def _signatures(rule: Webhook, headers: Mapping[str, str]) -> Iterator[bytes]:
    """The signatures in the header, of those that are one."""
    found = [part for part in _parts(rule, headers) if part and part.startswith(rule.prefix)]
    for part in found[:MOST_SIGNATURES]:
        text = part.removeprefix(rule.prefix)
        try:
            if rule.encoding == "hex":
                yield bytes.fromhex(text)
            else:
                yield base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            continue


def _before(rule: Webhook, headers: Mapping[str, str], now: float) -> bytes:
    """What is signed before the body. Raises BadSignature for a moment too far away."""
    before = rule.signed.removesuffix("{body}")
    if rule.is_timed:
        before = before.replace("{timestamp}", _moment(rule, headers, now))
    if rule.id:
        before = before.replace("{id}", headers.get(rule.id, ""))
    return before.encode()


def _moment(rule: Webhook, headers: Mapping[str, str], now: float) -> str:
    if rule.timestamp:
        text = headers.get(rule.timestamp, "").strip()
    else:
        prefix = rule.timestamp_prefix
        texts = (part for part in _parts(rule, headers) if part.startswith(prefix))
        text = next(texts, "").removeprefix(prefix)
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise BadSignature("no time of sending in seconds since 1970")
    if abs(now - int(text)) > rule.tolerance:
        raise BadSignature(
            f"sent {now - int(text):+.0f} s ago, the tolerance is {rule.tolerance:g} s"
        )
    return text
