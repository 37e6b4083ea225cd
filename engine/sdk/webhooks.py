"""`webhook`: tasks that other services trigger by a signed request (DEC-17)."""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from engine.sdk.options import Duration
from engine.sdk.timetables import one_of
from runs.durations import seconds
from runs.errors import InvalidOption
from runs.keypaths import parse
from runs.webhooks import ALGORITHMS, BODY, ENCODINGS, KEYS, LONGEST_PATH, Webhook

#: Parts of letters, digits and `- . _ ~`, with slashes between them; `.` and `..` are no parts.
PATH = re.compile(r"(?!\.\.?(?:/|$))[\w.~-]+(?:/(?!\.\.?(?:/|$))[\w.~-]+)*", re.ASCII)
#: An environment variable or a Django setting. Small letters are refused, so that a secret that was
#: put here by mistake is not taken for its name.
SECRET = re.compile(r"[A-Z][A-Z0-9_]{0,127}", re.ASCII)
HEADER = re.compile(r"[A-Za-z0-9-]{1,100}", re.ASCII)
PLACES = re.compile(r"\{([^{}]*)\}")
REMEMBERED = "3d"
TOLERANCE = "5m"


class Webhooks:
    """Declares the address at which another service triggers a task, and how it signs.

    `path` is what follows `/webhooks/` in the address. `secret` is the name of the environment
    variable or Django setting of the web process that has the secret; several names while one is
    being replaced. `headers` are more headers to hand to the task as `ctx.webhook.headers`. A
    delivery is remembered for `remember`: one that is sent again makes no second run.

    Example:
        @task(webhook=webhook.github("pushes", secret="GITHUB_WEBHOOK_SECRET"))
        def pushed(payload, ctx):
            logger.info(ctx.webhook.headers["x-github-event"], ref=payload.get("ref"))
    """

    def github(
        self,
        path: str,
        *,
        secret: str | Iterable[str],
        headers: Iterable[str] = (),
        remember: Duration = REMEMBERED,
    ) -> Webhook:
        """Signed as GitHub does, and Gitea, and whoever sends `X-Hub-Signature-256`."""
        return self(
            path,
            secret=secret,
            scheme="github",
            header="X-Hub-Signature-256",
            prefix="sha256=",
            delivery="X-GitHub-Delivery",
            headers=("X-GitHub-Event", "X-GitHub-Hook-ID", *_words("headers", headers)),
            remember=remember,
        )

    def stripe(
        self,
        path: str,
        *,
        secret: str | Iterable[str],
        headers: Iterable[str] = (),
        remember: Duration = REMEMBERED,
        tolerance: Duration = TOLERANCE,
    ) -> Webhook:
        """Signed as Stripe does: `Stripe-Signature: t=…,v1=…`, the event's id in the body."""
        return self(
            path,
            secret=secret,
            scheme="stripe",
            header="Stripe-Signature",
            prefix="v1=",
            separator=",",
            signed="{timestamp}." + BODY,
            timestamp_prefix="t=",
            delivery="$.id",
            headers=headers,
            remember=remember,
            tolerance=tolerance,
        )

    def slack(
        self,
        path: str,
        *,
        secret: str | Iterable[str],
        headers: Iterable[str] = (),
        remember: Duration = REMEMBERED,
        tolerance: Duration = TOLERANCE,
    ) -> Webhook:
        """Signed as Slack does; its question whether the address is yours is answered."""
        return self(
            path,
            secret=secret,
            scheme="slack",
            header="X-Slack-Signature",
            prefix="v0=",
            signed="v0:{timestamp}:" + BODY,
            timestamp="X-Slack-Request-Timestamp",
            delivery="$.event_id",
            headers=("X-Slack-Retry-Num", "X-Slack-Retry-Reason", *_words("headers", headers)),
            remember=remember,
            tolerance=tolerance,
            answers_challenge=True,
        )

    def standard(
        self,
        path: str,
        *,
        secret: str | Iterable[str],
        headers: Iterable[str] = (),
        remember: Duration = REMEMBERED,
        tolerance: Duration = TOLERANCE,
    ) -> Webhook:
        """Signed as the open specification Standard Webhooks says (`webhook-signature`)."""
        return self(
            path,
            secret=secret,
            scheme="standard",
            header="webhook-signature",
            prefix="v1,",
            separator=" ",
            encoding="base64",
            key="base64",
            signed="{id}.{timestamp}." + BODY,
            timestamp="webhook-timestamp",
            id="webhook-id",
            delivery="webhook-id",
            headers=headers,
            remember=remember,
            tolerance=tolerance,
        )

    def __call__(  # noqa: PLR0913  one for each way services differ
        self,
        path: str,
        *,
        secret: str | Iterable[str],
        header: str,
        prefix: str = "",
        separator: str = "",
        encoding: str = "hex",
        algorithm: str = "sha256",
        key: str = "text",
        signed: str = BODY,
        timestamp: str = "",
        timestamp_prefix: str = "",
        id: str = "",  # noqa: A002  what the signed text calls it
        tolerance: Duration = TOLERANCE,
        delivery: str = "",
        remember: Duration = REMEMBERED,
        headers: Iterable[str] = (),
        scheme: str = "hmac",
        answers_challenge: bool = False,
    ) -> Webhook:
        """Signed in a way of its own: an HMAC in `header`.

        `signed` is what the HMAC is made of: `{body}`, and before it what the service puts there, as
        in `"{timestamp}.{body}"` with the header `timestamp`. `delivery` is the header with the
        delivery's id, or its place in the body as `$.id`.

        Example:
            webhook("shop", secret="SHOP_SECRET", header="X-Shop-Hmac-Sha256", encoding="base64",
                    delivery="X-Shop-Webhook-Id")
        """
        made = Webhook(
            path=_path(path),
            secrets=_secrets(secret),
            scheme=scheme,
            header=_header("header", header),
            prefix=_text("prefix", prefix),
            separator=_text("separator", separator),
            encoding=one_of("encoding", encoding, ENCODINGS),
            algorithm=one_of("algorithm", algorithm, ALGORITHMS),
            key=one_of("key", key, KEYS),
            signed=_text("signed", signed),
            timestamp=_header("timestamp", timestamp, optional=True),
            timestamp_prefix=_text("timestamp_prefix", timestamp_prefix),
            id=_header("id", id, optional=True),
            tolerance=_span("tolerance", tolerance),
            delivery=_delivery(delivery),
            remember=_span("remember", remember),
            headers=tuple(_header("headers", name) for name in _words("headers", headers)),
            answers_challenge=answers_challenge,
        )
        _check_signed(made)
        return made


webhook = Webhooks()
PRESETS: dict[str, Callable[..., Webhook]] = {
    "github": webhook.github,
    "stripe": webhook.stripe,
    "slack": webhook.slack,
    "standard": webhook.standard,
    "hmac": webhook,
}


def as_webhook(value: object) -> Webhook | None:
    """The webhook of a task's `webhook=`: what `webhook` made, or a dict with the same names."""
    if value is None or isinstance(value, Webhook):
        return value
    if not isinstance(value, Mapping) or value.get("preset", "hmac") not in PRESETS:
        raise InvalidOption(
            "webhook",
            'webhook is webhook.github("path", secret="NAME") or the like, or a dict as '
            f'{{"preset": one of {", ".join(PRESETS)}, "path": ..., "secret": ...}}.',
        )
    options = {str(name): given for name, given in value.items()}
    try:
        return PRESETS[options.pop("preset", "hmac")](**options)
    except TypeError as error:  # says which name is missing or unknown
        words = str(error).partition("() ")[2] or str(error)
        raise InvalidOption("webhook", f"webhook {words}.") from None


def _check_signed(made: Webhook) -> None:
    """What is signed ends with the body, and all it begins with is known."""
    if not made.signed.endswith(BODY) or made.signed.count(BODY) != 1:
        raise InvalidOption("signed", f"signed ends with {BODY}, as in {{timestamp}}.{BODY}.")
    names = set(PLACES.findall(made.signed)) - {"body"}
    sources = {"timestamp": made.timestamp or made.timestamp_prefix, "id": made.id}
    if unknown := sorted(names - set(sources)):
        raise InvalidOption("signed", f"signed knows timestamp, id and body; not {unknown[0]:.40}.")
    for name, source in sources.items():
        if bool(source) != (name in names):
            raise InvalidOption(
                name, f"{name} is the header that signed={made.signed!r:.60} names as {{{name}}}."
            )


def _path(value: object) -> str:
    if isinstance(value, str) and len(value) <= LONGEST_PATH and PATH.fullmatch(value):
        return value
    raise InvalidOption(
        "path",
        f"A webhook's path has 1 to {LONGEST_PATH} letters, digits or - . _ ~, with slashes between "
        f"parts; got {value!r:.60}.",
    )


def _secrets(value: object) -> tuple[str, ...]:
    names = _words("secret", value)
    if names and all(SECRET.fullmatch(name) for name in names):
        return names
    # what was given is not repeated: it may be the secret
    raise InvalidOption(
        "secret",
        "secret is the name of the environment variable or setting that has the secret, in capitals, "
        "as GITHUB_WEBHOOK_SECRET, not the secret itself.",
    )


def _words(name: str, value: object) -> tuple[str, ...]:
    words = [value] if isinstance(value, str) else value
    if isinstance(words, Iterable) and not isinstance(words, (Mapping, bytes)):
        found = tuple(dict.fromkeys(words))
        if all(isinstance(word, str) for word in found):
            return found
    raise InvalidOption(name, f"{name} is text or a list of texts.")


def _header(option: str, value: object, *, optional: bool = False) -> str:
    if isinstance(value, str) and (HEADER.fullmatch(value) or (optional and not value)):
        return value
    raise InvalidOption(
        option, f"{option} is the name of an HTTP header, as X-Signature; got {value!r:.60}."
    )


def _delivery(value: object) -> str:
    if isinstance(value, str) and value.startswith("$"):
        with suppress(InvalidOption):
            parse(value)
            return value
        raise InvalidOption(
            "delivery", f"delivery is a place as $.id or $.meta.id; got {value!r:.60}."
        )
    return _header("delivery", value, optional=True)


def _span(option: str, value: object) -> float:
    span = seconds(value, option)
    if span >= 1:
        return span
    raise InvalidOption(option, f"{option} is at least 1 second; got {value!r:.60}.")


def _text(option: str, value: object) -> str:
    if isinstance(value, str) and len(value) <= LONGEST_PATH:
        return value
    raise InvalidOption(
        option, f"{option} is text of at most {LONGEST_PATH} characters; got {value!r:.60}."
    )
