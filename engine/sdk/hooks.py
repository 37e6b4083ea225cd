"""`hooks`: the author's code around the bodies of all tasks, or of one (docs/lifecycle.md)."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from engine.sdk.context import current
from engine.sdk.hookkinds import KINDS, NAMES, TASK_FIRST, AnyHook, Hook, hook_of
from runs.errors import InvalidOption

#: What is called before any body could register it.
BEFORE = {"middleware", "init", "on_start", "on_start_attempt", "on_resume"}
F = TypeVar("F", bound=Callable[..., Any])


class Decorators:
    """`@hooks.on_success` for all tasks, `@my_task.on_success` for one."""

    def add_hook(self, kind: str, function: AnyHook, name: str | None = None) -> None:
        """Register a hook by its kind."""
        raise TypeError("A subclass keeps the hooks.")

    def _added(self, kind: str, function: F) -> F:
        self.add_hook(kind, function)
        return function

    def middleware(self, function: F, /) -> F:
        """Code around the attempt: it calls `next()`, or `await next()`, once."""
        return self._added("middleware", function)

    def on_start_attempt(self, function: F, /) -> F:
        """Before the body, in every attempt. An error fails the attempt."""
        return self._added("on_start_attempt", function)

    def on_wait(self, function: F, /) -> F:
        """Before the run leaves its worker to wait."""
        return self._added("on_wait", function)

    def on_resume(self, function: F, /) -> F:
        """After a wait, before the body goes on."""
        return self._added("on_resume", function)

    def on_success(self, function: F, /) -> F:
        """The run succeeded with `output`."""
        return self._added("on_success", function)

    def on_failure(self, function: F, /) -> F:
        """The run ended with `error`, and is not tried again."""
        return self._added("on_failure", function)

    def on_complete(self, function: F, /) -> F:
        """The run ended, however it did: `result`."""
        return self._added("on_complete", function)

    def catch_error(self, function: F, /) -> F:
        """An attempt failed with `error`: decide about the retry (`ErrorDecision`)."""
        return self._added("catch_error", function)

    def on_cancel(self, function: F, /) -> F:
        """The run was canceled; `run` is what its body came to."""
        return self._added("on_cancel", function)

    def init(self, function: F, /) -> F:
        """Deprecated: before the body, in every attempt; what it returns is `init` everywhere."""
        return self._added("init", function)

    def on_start(self, function: F, /) -> F:
        """Deprecated: before the body, in the first attempt alone."""
        return self._added("on_start", function)

    def cleanup(self, function: F, /) -> F:
        """Deprecated: after every attempt. An error fails the attempt."""
        return self._added("cleanup", function)

    def handle_error(self, function: F, /) -> F:
        """Deprecated: the older name of `catch_error`."""
        return self._added("handle_error", function)

    def on_error(self, function: F, /) -> F:
        """Deprecated: an attempt failed with `error`, whether or not another follows."""
        return self._added("on_error", function)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Nothing is called so; for who misspells a hook."""
            known = f" Hooks: {', '.join(NAMES)}." if name.startswith("on") else ""
            raise AttributeError(f"{type(self).__name__} has no “{name}”.{known}")


class TaskHooks:
    """The hooks of one task: one of each kind."""

    def __init__(self, owner: str, given: Mapping[str, AnyHook | None] | None = None) -> None:
        self._owner = owner
        self._hooks: dict[str, Hook] = {}
        for kind, function in (given or {}).items():
            if function is not None:
                self.add(kind, function)

    def add(self, kind: str, function: AnyHook, name: str | None = None) -> None:
        hook = hook_of(kind, function, "task", name)
        known = self._hooks.get(hook.kind)
        if known is not None and known.function is not function:
            raise InvalidOption(
                kind,
                f"Task “{self._owner}” has the {known} already, and a task has one of each kind; "
                f"the second is {hook.name}.",
            )
        self._hooks[hook.kind] = hook
        forget_chains()

    def get(self, kind: str) -> Hook | None:
        return self._hooks.get(kind)


class Hooks(Decorators):
    """Hooks of all tasks. `init.py` of a task directory is the place for them.

    A hook is registered once, however often its function is given; with `name=`, the last one of
    that name stays. One that is registered while a run executes is that attempt's alone.

    Example:
        @hooks.on_failure
        def tell(payload, error, ctx):
            logger.error("failed", run=ctx.run.id, error=str(error))
    """

    def __init__(self) -> None:
        self._hooks: list[Hook] = []

    def add_hook(self, kind: str, function: AnyHook, name: str | None = None) -> None:
        hook, ctx = hook_of(kind, function, "global", name), current()
        if ctx is None:
            put(hook, self._hooks, name)
            forget_chains()
        elif hook.kind in BEFORE:
            raise InvalidOption(
                kind,
                f"The {hook} is registered while a run executes, which is too late for it: do it where "
                "its file is imported, best in init.py.",
            )
        else:
            put(hook, ctx._hooks, name)

    def of_kind(self, kind: str) -> Iterator[Hook]:
        return (hook for hook in self._hooks if hook.kind == kind)

    def forget(self, file: str | None = None) -> None:
        """Drop the hooks a file registered, or all; for files that fail to import, and for tests."""
        self._hooks = [h for h in self._hooks if file is not None and file_of(h.function) != file]
        forget_chains()


def put(hook: Hook, among: list[Hook], name: str | None) -> None:
    """Add it, or replace the one with its function or its name."""
    for index, known in enumerate(among):
        same = known.function is hook.function or (name is not None and known.name == name)
        if known.kind == hook.kind and same:
            among[index] = hook
            return
    among.append(hook)


def file_of(function: AnyHook) -> str:
    return str(getattr(getattr(inspect.unwrap(function), "__code__", None), "co_filename", ""))


hooks = Hooks()


@dataclass(frozen=True, slots=True)
class Chain:
    """The hooks of one task, global ones too, each kind in the order they are called in."""

    by_kind: dict[str, tuple[Hook, ...]] = field(default_factory=dict)

    def __getitem__(self, kind: str) -> tuple[Hook, ...]:
        return self.by_kind.get(kind, ())

    @property
    def fires_on_failure(self) -> bool:
        """Whether a run that ends without success has hooks to call."""
        return bool(self["on_failure"] or self["on_complete"])

    @property
    def fires_on_cancel(self) -> bool:
        return bool(self["on_cancel"] or self["on_complete"])


_chains: dict[int, tuple[TaskHooks, Chain]] = {}


def forget_chains() -> None:
    _chains.clear()


def chain(own: TaskHooks) -> Chain:
    """Global hooks before the task's; for `catch_error` the task's first (HK-1)."""
    found = _chains.get(id(own))
    if found is None:
        found = _chains[id(own)] = own, Chain(dict(ordered(own)))
    return found[1]


def ordered(own: TaskHooks) -> Iterator[tuple[str, tuple[Hook, ...]]]:
    for kind in KINDS:
        shared, mine = list(hooks.of_kind(kind)), own.get(kind)
        if mine is not None:
            shared.insert(0 if kind in TASK_FIRST else len(shared), mine)
        if shared:
            yield kind, tuple(shared)
