"""`ctx.webhook`: what a delivery said beside its body."""

from collections.abc import Mapping
from dataclasses import dataclass

from runs.webhooks import METADATA_KEY


@dataclass(frozen=True, slots=True)
class Delivery:
    """The delivery a run was made by; its body is the payload.

    `headers` has the names in small letters; those the service did not send are missing. `id` is
    empty where the service numbers nothing.
    """

    path: str
    id: str
    headers: Mapping[str, str]


def delivery_of(metadata: object) -> Delivery | None:
    """The delivery in a run's metadata, where the endpoint put it."""
    found = metadata.get(METADATA_KEY) if isinstance(metadata, Mapping) else None
    if not isinstance(found, Mapping) or not isinstance(found.get("headers"), Mapping):
        return None
    return Delivery(str(found.get("path", "")), str(found.get("id", "")), found["headers"])
