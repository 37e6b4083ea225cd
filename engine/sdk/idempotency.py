"""Idempotency keys and their scopes (features.md section 8)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.sdk.context import Context, current
from runs.errors import InvalidOption

Scope = Literal["run", "attempt", "global"]
SCOPES = ("run", "attempt", "global")
MAX_LENGTH = 2048


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A key bound to its scope; `text` is what makes two launches the same."""

    text: str
    scope: Scope


def idempotency_key(key: str | Iterable[str], *, scope: Scope = "run") -> IdempotencyKey:
    """Bind a key to a scope: "run" (once in this run), "attempt" (once in this attempt), "global".

    Several parts are joined with "-". Outside of a run every scope is global. A plain string given
    to `idempotency_key=` means scope "run" inside a run.

    Example:
        charge.trigger(order, idempotency_key=idempotency_key(order["id"], scope="global"))
    """
    if scope not in SCOPES:
        raise InvalidOption("idempotency_key", f"scope is one of {', '.join(SCOPES)}.")
    parts = [key] if isinstance(key, str) else list(key)
    ctx = current()
    if ctx is None or scope == "global":
        return IdempotencyKey(_joined(parts), "global")
    return IdempotencyKey(_joined([*parts, *_binding(ctx, scope)]), scope)


def bound(value: object) -> IdempotencyKey:
    """The key of an `idempotency_key=` option: a bound key, a string, or a list of parts."""
    if isinstance(value, IdempotencyKey):
        return value
    if isinstance(value, str):
        return idempotency_key(value)
    if isinstance(value, (list, tuple)):
        return idempotency_key(value)
    raise InvalidOption(
        "idempotency_key", f"idempotency_key is text or a list of texts; got {value!r:.60}."
    )


def _binding(ctx: Context, scope: Scope) -> list[str]:
    return [ctx.run.id] if scope == "run" else [ctx.run.id, str(ctx.attempt.number)]


def _joined(parts: Sequence[object]) -> str:
    if not parts or not all(isinstance(part, str) and part for part in parts):
        raise InvalidOption("idempotency_key", "idempotency_key needs text that is not empty.")
    if len(joined := "-".join(map(str, parts))) > MAX_LENGTH:
        raise InvalidOption(
            "idempotency_key", f"idempotency_key has at most {MAX_LENGTH} characters."
        )
    return joined
