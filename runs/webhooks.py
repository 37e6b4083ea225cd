"""What a webhook task declares: its address, and how deliveries to it prove who sent them (DEC-17).

The engine writes it to the task's row as JSON, the web process reads it there. The secret itself is
never stored: `secrets` are names of environment variables or Django settings of the web process.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Self

#: Where in a run's metadata stands what its delivery said beside the body.
METADATA_KEY = "webhook"
#: Longest part of an address, and longest value kept of a header.
LONGEST_PATH, LONGEST_HEADER = 150, 1000
#: Digests a signature may be made with.
ALGORITHMS = ("sha256", "sha512", "sha1")
#: How a signature is written, and how a secret is.
ENCODINGS, KEYS = ("hex", "base64"), ("text", "base64")
BODY = "{body}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One address and its signature.

    What is signed is `signed`, with `{timestamp}` and `{id}` as the headers say. `header` may hold
    several signatures, with `separator` between them; those that begin with `prefix` count.
    """

    path: str
    secrets: tuple[str, ...]
    #: What the page calls it: the name of a preset, or "hmac".
    scheme: str = "hmac"
    header: str
    prefix: str = ""
    separator: str = ""
    encoding: str = "hex"
    algorithm: str = "sha256"
    #: Whether a secret is the key itself, or the key in base64.
    key: str = "text"
    signed: str = BODY
    #: Header with seconds since 1970, or the beginning of the part of `header` that has them.
    timestamp: str = ""
    timestamp_prefix: str = ""
    #: Header that is signed as `{id}`.
    id: str = ""
    #: Seconds a signed timestamp may be off.
    tolerance: float = 300.0
    #: Where a delivery's id stands: a header, or a place in the body as `$.id`.
    delivery: str = ""
    #: Seconds the delivery's id is remembered.
    remember: float = 3 * 86400.0
    #: Headers the run is told.
    headers: tuple[str, ...] = ()
    #: Answer Slack's question whether the address is ours.
    answers_challenge: bool = False

    @property
    def is_timed(self) -> bool:
        """Whether the moment of sending is signed too."""
        return "{timestamp}" in self.signed

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote, also by a version that knew more or less."""
        known: dict[str, Any] = json.loads(text)
        lists = {name: tuple(known.get(name, ())) for name in ("secrets", "headers")}
        names = cls.__dataclass_fields__.keys()
        return cls(**{name: known[name] for name in names & known.keys()} | lists)
