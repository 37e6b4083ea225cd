"""The hooks of one task, called for one attempt."""

import json
import logging
from collections.abc import Mapping
from typing import Any

from engine.execution.calls import Calls, Steps, genuine
from engine.sdk.context import Context
from engine.sdk.hookkinds import TASK_FIRST, Hook
from engine.sdk.hooks import chain
from engine.sdk.tasks import Task

log = logging.getLogger("trackside.hooks")


class Hooked:
    """Calls hooks in their order, with what they may ask for. Swallows what the order swallows."""

    def __init__(self, task: Task[Any, Any], ctx: Context, calls: Calls) -> None:
        self.chain, self._calls, self._late = chain(task.own_hooks), calls, ctx._hooks
        self.values: dict[str, Any] = {
            "ctx": ctx,
            "task": task.id,
            "signal": ctx._signal,
            "init": None,
        }
        #: Until the attempt has begun there is nothing to clean up.
        self._cleaned = True

    @property
    def are_there(self) -> bool:
        """Whether there is anything to call."""
        return bool(self.chain.by_kind or self._late)

    def of(self, kind: str) -> tuple[Hook, ...]:
        """The hooks of a kind; those the body registered come after the other global ones."""
        known = self.chain[kind]
        if not self._late:
            return known
        late = tuple(hook for hook in self._late if hook.kind == kind)
        ends_with_own = bool(known) and known[-1].scope == "task" and kind not in TASK_FIRST
        at = len(known) - ends_with_own
        return known[:at] + late + known[at:]

    async def surrounding(self, inner: Steps) -> None:
        """Run `inner` inside all middleware."""
        await self._surrounded(self.chain["middleware"], inner)

    async def _surrounded(self, middleware: tuple[Hook, ...], inner: Steps) -> None:
        if middleware:
            outermost, *others = middleware
            rest = tuple(others)
            await self._calls.around(outermost, self.values, lambda: self._surrounded(rest, inner))
        else:
            await inner()

    async def begin(self) -> None:
        """`init`, whose result every later hook and the body may ask for."""
        self._cleaned = False
        for hook in self.chain["init"]:
            result = await self._calls.hook(hook, self.values, interruptible=True)
            self.values["init"] = merged(self.values["init"], result)

    async def start(self, kind: str) -> None:
        """Call the hooks of a kind that precedes the body: an error, and a stop, go through."""
        for hook in self.chain[kind]:
            await self._calls.hook(hook, self.values, interruptible=True)

    async def each(self, kind: str, *, until_one_fails: bool = False, **facts: Any) -> None:
        """Call the hooks of a kind; what one raises is logged, and changes nothing."""
        for hook in self.of(kind):
            try:
                await self._calls.hook(hook, {**self.values, **facts})
            except BaseException as error:
                logged(error, f"The {hook}")
                if until_one_fails:
                    return

    async def cleanup(self) -> BaseException | None:
        """Once in an attempt; what the first one raised that did."""
        hooks, self._cleaned = () if self._cleaned else self.of("cleanup"), True
        for hook in hooks:
            try:
                await self._calls.hook(hook, self.values)
            except BaseException as error:
                return genuine(error)
        return None


def logged(error: BaseException | None, whose: str = "A cleanup hook") -> None:
    """Say in the run's log what a hook raised."""
    if error is not None:
        log.error("%s raised an error, which changes nothing.", whose, exc_info=genuine(error))


def merged(before: Any, result: Any) -> Any:
    """What several `init` hooks returned: mappings are merged, else the last that says something."""
    if result is None:
        return before
    both = isinstance(before, Mapping) and isinstance(result, Mapping)
    return {**before, **result} if both else result


def unparsed(payload: str | None) -> Any:
    """The payload as plain JSON, for hooks of a run whose schema refuses it."""
    try:
        return None if payload is None else json.loads(payload)
    except ValueError:
        return payload
