"""One alert to one channel."""

import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
from django.conf import settings
from django.core import mail

from engine.alerts import addresses
from runs import conf
from runs.models import AlertDelivery, ChannelKind

#: Seconds for everything, and bytes of an answer that are read.
TIMEOUT, ANSWER = 10.0, 2000
PORTS = {"http": 80, "https": 443}


class NotDelivered(Exception):
    """The other side refused, or was not reached."""


def send(delivery: AlertDelivery, told: dict[str, str]) -> str:
    """Send it; what the other side said. Raises NotDelivered.

    `told` has the channel's address and secret.
    """
    kind = delivery.channel.kind
    if kind == ChannelKind.EMAIL:
        return _mail(delivery, told["address"])
    if kind == ChannelKind.SLACK:
        body = json.dumps({"text": text_of(delivery)})
        return _post(told["address"], body, {})
    body = json.dumps(document_of(delivery))
    moment = int(time.time())
    headers = {
        "trackside-delivery": str(delivery.pk),
        "trackside-signature": f"t={moment},v1={signature(told['secret'], moment, body)}",
    }
    return _post(told["address"], body, headers)


def signature(secret: str, moment: int, body: str) -> str:
    """HMAC-SHA256 over the time and the body, as hexadecimal digits."""
    signed = f"{moment}.{body}".encode()
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def document_of(delivery: AlertDelivery) -> dict[str, Any]:
    """What a webhook is sent."""
    told = delivery.told
    return {
        "type": "test" if told.get("test") else "alert",
        "id": delivery.pk,
        "at": delivery.at.isoformat(),
        "environment": conf.get("ENVIRONMENT")["name"],
        "rule": delivery.rule.name if delivery.rule else None,
        "kind": delivery.rule.kind if delivery.rule else None,
        "title": told["title"],
        "count": told["count"],
        "items": [{"text": one["text"], "url": _url(one["path"])} for one in told["items"]],
    }


def text_of(delivery: AlertDelivery) -> str:
    """The same in lines."""
    told = delivery.told
    count = told["count"]
    head = f"[{conf.get('ENVIRONMENT')['name']}] {told['title']}"
    lines = [head + (f": {count:,} times" if count > 1 else "")]
    lines += [f"• {one['text']} {_url(one['path'])}".rstrip() for one in told["items"]]
    more = count - len(told["items"])
    return "\n".join([*lines, f"… and {more:,} more"] if more > 0 else lines)


def _url(path: str) -> str:
    return f"{str(conf.get('URL')).rstrip('/')}{path}" if path else ""


def _mail(delivery: AlertDelivery, to: str) -> str:
    if settings.EMAIL_BACKEND.endswith("smtp.EmailBackend") and not settings.EMAIL_HOST:
        raise NotDelivered("No mail server is configured: set EMAIL_HOST.")
    text = text_of(delivery)
    subject = text.partition("\n")[0][:200]
    try:
        mail.send_mail(subject, text, None, [one.strip() for one in to.split(",")])
    except (OSError, ValueError) as error:
        raise NotDelivered(f"The mail server did not take it: {error}") from error
    return "Taken by the mail server."


def _post(url: str, body: str, headers: dict[str, str]) -> str:
    parts = urlsplit(url)
    host, port = str(parts.hostname), parts.port or PORTS[parts.scheme]
    try:
        address = addresses.resolved(host, port)
        literal = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        # the very address that was looked at, under the name it goes by
        pinned = urlunsplit((parts.scheme, literal, parts.path or "/", parts.query, ""))
        headers = {"host": parts.netloc, "content-type": "application/json", **headers}
        with httpx.Client(timeout=TIMEOUT, trust_env=False, follow_redirects=False) as client:
            request = client.build_request(
                "POST", pinned, content=body, headers=headers, extensions={"sni_hostname": host}
            )
            answer = client.send(request, stream=True)
            said = _beginning(answer)
    except addresses.Forbidden as error:
        raise NotDelivered(str(error)) from error
    except (httpx.HTTPError, OSError) as error:
        raise NotDelivered(f"{host} was not reached: {type(error).__name__}: {error}") from error
    if not answer.is_success:
        raise NotDelivered(f"{host} answered {answer.status_code}. {said}".strip())
    return f"{answer.status_code} {said}".strip()


def _beginning(answer: httpx.Response) -> str:
    """Of what came back; whatever else comes is not waited for."""
    found = b""
    for part in answer.iter_bytes(ANSWER):
        found += part
        if len(found) >= ANSWER:
            break
    answer.close()
    return found[:ANSWER].decode(errors="replace").replace("\x00", "")[:300]
