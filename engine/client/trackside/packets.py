"""Large values beside their requests: uploaded first, then named."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from trackside.steps import Answer, Call, Request

#: Bytes of JSON from which on a payload is uploaded, as the reference's clients do.
LARGE = 131_072
STORED = "application/store"
TYPES = {"application/json", "application/super+json"}


def offloaded(payload: Any) -> Call[str | None]:
    """Upload a payload that is large; the path it has then, None for one that is not."""
    text = json.dumps(payload, allow_nan=False).encode()
    if len(text) < LARGE:
        return None
    name = f"trigger%2Fpacket_{uuid.uuid4().hex}%2Fpayload.json"
    answer: Answer = yield Request("PUT", f"/api/v2/packets/{name}")
    told = answer.json()
    kind = {"content-type": "application/json"}
    yield Request("PUT", told["presignedUrl"], content=text, headers=kind, is_keyed=False)
    return str(told["storagePath"])


def downloaded(address: str) -> Call[Any]:
    """What lies at an address the server gave out, by its content type."""
    answer: Answer = yield Request("GET", address, is_keyed=False)
    kind = answer.headers.get("content-type", "").partition(";")[0].strip()
    if kind not in TYPES:
        return answer.content.decode()
    return opened(answer.json(), kind)


def opened(value: Any, kind: str) -> Any:
    """What a value is without the wrapping of its type."""
    is_wrapped = kind == "application/super+json" and isinstance(value, Mapping)
    return value.get("json") if is_wrapped else value
