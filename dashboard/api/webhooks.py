"""POST /webhooks/{path}: a delivery of another service makes a run of the task that declared the path.

Who may is decided by the signature alone: no key, no session. Nothing is parsed before it is
verified, and nobody but the log is told why a delivery was refused.
"""

import hashlib
import json
import logging
import time
from typing import Any
from urllib.parse import parse_qsl

from django.http import HttpRequest
from django.utils import timezone

from dashboard import webhooks
from dashboard.api import answers, bodies
from dashboard.api.endpoint import endpoint
from dashboard.api.errors import ApiError
from dashboard.api.tasks import traced
from dashboard.openapi.operations import Media
from dashboard.webhooks import BadSignature, Endpoint, NotSetUp
from runs import conf, lifecycle, payloads
from runs.errors import InvalidOption, InvalidPayload
from runs.keypaths import key_at
from runs.lifecycle import TriggerOptions
from runs.models import Source
from runs.webhooks import LONGEST_HEADER, LONGEST_PATH, METADATA_KEY

log = logging.getLogger(__name__)

FORM = "application/x-www-form-urlencoded"
#: Fields of a form that is read.
MOST_FIELDS = 1000
#: A longer id of a delivery is remembered by its hash.
LONGEST_ID = 255


@endpoint(
    "POST",
    keyed=False,
    status=202,
    body=Media("*/*"),
    answers={
        202: answers.Triggered | answers.Challenge,
        401: "The signature is missing, wrong or too old.",
        503: "The webhook is not set up yet, or the database is busy.",
    },
)
def receive(request: HttpRequest, path: str) -> dict[str, Any]:
    """Verify the delivery and make its run, or find the one it made before."""
    found = webhooks.endpoint(path) if len(path) <= LONGEST_PATH and "\x00" not in path else None
    if found is None:
        raise ApiError(404, "There is no webhook at this address.", retry=False)
    raw = bodies.raw_body(request, conf.get("PAYLOAD_LIMIT"))
    now = time.time()
    _verify(found, request, raw, now)
    payload = _payload(request, raw)
    if found.rule.answers_challenge and (challenge := _challenge(payload)):
        return {"challenge": challenge}
    delivery = _delivery(found, request, payload)
    options = _options(found, request, delivery, _key(found, request, raw, delivery, now))
    made = lifecycle.trigger(
        found.task_id,
        payload,
        traced(options, request),
        source=Source.WEBHOOK,
        actor=f"webhook:{path}",
    )
    return {"id": made.run_id, "isCached": made.is_cached}


def _verify(found: Endpoint, request: HttpRequest, raw: bytes, now: float) -> None:
    what = f"Webhook {found.rule.path} of task {found.task_id}"
    try:
        webhooks.verify(found.rule, request.headers, raw, now)
    except NotSetUp as problem:
        log.error("%s refuses every delivery: %s.", what, problem)
        raise ApiError(503, "This webhook is not set up yet.", retry=True) from None
    except BadSignature as problem:
        log.warning("%s refused a delivery from %s: %s.", what, _sender(request), problem)
        raise ApiError(401, "The signature is missing, wrong or too old.", retry=False) from None


def _sender(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR") or "somewhere")


def _payload(request: HttpRequest, raw: bytes) -> str:
    """The body as JSON text: JSON as it came, a form as an object of its fields."""
    if request.content_type == FORM:
        return payloads.clean(_form(raw))
    if str(request.content_type).startswith("multipart/"):
        raise ApiError(415, f"Send the body as application/json or {FORM}.")
    return payloads.clean(raw)


def _form(raw: bytes) -> str:
    """A form with one field `payload` carries JSON in it, as GitHub and Slack send it."""
    try:
        pairs = parse_qsl(
            raw.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"
        )
    except ValueError:
        raise InvalidPayload("The body is not a form of fields in UTF-8.") from None
    if len(pairs) == 1 and pairs[0][0] == "payload":
        return pairs[0][1]
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return payloads.dumps({k: v[0] if len(v) == 1 else v for k, v in fields.items()})


def _challenge(payload: str) -> str:
    """What Slack wants to hear back when an address is entered there; else empty."""
    asked = json.loads(payload)
    if not isinstance(asked, dict) or asked.get("type") != "url_verification":
        return ""
    return str(asked.get("challenge", ""))[:LONGEST_HEADER]


def _delivery(found: Endpoint, request: HttpRequest, payload: str) -> str:
    """The id the service gave this delivery, or empty."""
    place = found.rule.delivery
    if not place.startswith("$"):
        return request.headers.get(place, "").strip() if place else ""
    try:
        return key_at(place, payload) or ""
    except InvalidOption:
        return ""  # something stands there, but no id


def _key(found: Endpoint, request: HttpRequest, raw: bytes, delivery: str, now: float) -> str:
    """Under which key the delivery is known again; empty for one that cannot be.

    Without an id the signed moment and body are one: a delivery that is played back is the same.
    """
    if delivery:
        short = len(delivery) <= LONGEST_ID
        return delivery if short else hashlib.sha256(delivery.encode(errors="replace")).hexdigest()
    if found.rule.is_timed:
        return webhooks.fingerprint(found.rule, request.headers, raw, now)
    return ""


def _options(found: Endpoint, request: HttpRequest, delivery: str, key: str) -> TriggerOptions:
    wanted = {name: request.headers.get(name) for name in found.rule.headers}
    told = {
        "path": found.rule.path,
        "id": delivery[:LONGEST_HEADER],
        "received_at": timezone.now().isoformat(timespec="milliseconds"),
        "headers": {
            name.lower(): value[:LONGEST_HEADER]
            for name, value in wanted.items()
            if value is not None
        },
    }
    metadata = payloads.dumps({METADATA_KEY: told})
    if not key:
        return TriggerOptions(metadata=metadata)
    return TriggerOptions(
        metadata=metadata,
        idempotency_key=f"webhook:{key}",
        idempotency_ttl=found.rule.remember,
    )
