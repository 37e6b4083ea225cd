"""Idempotency keys and their scopes (features.md section 8)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from engine.runtime import installed
from engine.sdk.context import Context, asking, current
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
        raise InvalidOption(
            "idempotency_key", f"scope is one of {', '.join(SCOPES)}; got {scope!r:.40}."
        )
    parts = [key] if isinstance(key, str) else list(key)
    ctx = current()
    if ctx is None or scope == "global":
        return IdempotencyKey(_joined(parts), "global")
    return IdempotencyKey(_joined([*parts, *_binding(ctx, scope)]), scope)


class HasId(Protocol):
    """A task, as far as keys are concerned."""

    @property
    def id(self) -> str: ...


class IdempotencyKeys:
    """Keys as the reference spells them, and how to forget one.

    Example:
        idempotency_keys.reset("charge", order["id"])
    """

    def create(self, key: str | Iterable[str], *, scope: Scope = "run") -> IdempotencyKey:
        """The same as `idempotency_key`."""
        return idempotency_key(key, scope=scope)

    def reset(
        self,
        task: "HasId | str",
        key: "str | Sequence[str] | IdempotencyKey",
        *,
        scope: Scope | None = None,
        run_id: str | None = None,
        attempt: int | None = None,
    ) -> bool:
        """Forget a key of a task: the next trigger with it makes a run. Whether anything had it.

        A plain key means what it means at a trigger here: this run's inside a run, else global. The
        key of another run takes its `run_id`, with scope "attempt" its `attempt` too.
        """
        task_id = task if isinstance(task, str) else task.id
        found = (
            bound(key)
            if run_id is None and scope is None
            else _elsewhere(key, scope, run_id, attempt)
        )
        return installed().desk.reset_key(task_id, found.text, asking())


def _elsewhere(
    key: object, scope: Scope | None, run_id: str | None, attempt: int | None
) -> IdempotencyKey:
    """A key as a trigger of another run has bound it."""
    if isinstance(key, IdempotencyKey):
        return key
    if run_id is None:
        return idempotency_key(_parts(key), scope=scope or "run")
    if (scope == "attempt") != (attempt is not None):
        raise InvalidOption("attempt", "attempt is for keys of scope “attempt”, and they need it.")
    if scope == "global":
        raise InvalidOption("run_id", "A key of scope “global” belongs to no run.")
    bindings = [run_id] if attempt is None else [run_id, str(attempt)]
    return IdempotencyKey(_joined([*_parts(key), *bindings]), scope or "run")


def bound(value: object) -> IdempotencyKey:
    """The key of an `idempotency_key=` option: a bound key, a string, or a list of parts."""
    if isinstance(value, IdempotencyKey):
        return value
    return idempotency_key(_parts(value))


def _parts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, (list, tuple)):
        return list(value)
    raise InvalidOption(
        "idempotency_key", f"idempotency_key is text or a list of texts; got {value!r:.60}."
    )


def _binding(ctx: Context, scope: Scope) -> list[str]:
    return [ctx.run.id] if scope == "run" else [ctx.run.id, str(ctx.attempt.number)]


def _joined(parts: Sequence[object]) -> str:
    if not parts or not all(isinstance(part, str) and part for part in parts):
        raise InvalidOption(
            "idempotency_key", f"idempotency_key needs texts that are not empty; got {parts!r:.60}."
        )
    if len(joined := "-".join(map(str, parts))) > MAX_LENGTH:
        raise InvalidOption(
            "idempotency_key",
            f"idempotency_key has at most {MAX_LENGTH} characters; got {len(joined):,}.",
        )
    return joined


idempotency_keys = IdempotencyKeys()
