"""`hooks`: the author's code around the bodies of all tasks, or of one (docs/lifecycle.md)."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, overload

from engine.sdk.context import current
from engine.sdk.hookkinds import KINDS, NAMES, TASK_FIRST, AnyHook, Hook, hook_of
from runs.errors import InvalidOption

#: What is called before any body could register it.
BEFORE = {"middleware", "init", "on_start", "on_start_attempt", "on_resume"}
F = TypeVar("F", bound=Callable[..., Any])


class Adder:
    """`@hooks.on_wait`, `@hooks.on_wait("name")` and `hooks.on_wait("name", function)`."""

    __slots__ = ("_keeper", "_kind")

    def __init__(self, keeper: "Decorators", kind: str) -> None:
        self._keeper, self._kind = keeper, kind

    @overload
    def __call__(self, function: F, /) -> F: ...
    @overload
    def __call__(self, name: str, function: F, /) -> F: ...
    @overload
    def __call__(self, name: str, /) -> Callable[[F], F]: ...
    def __call__(self, named: Any, function: Any = None, /) -> Any:
        """Register a hook, under a name if one is given; the function stays what it is."""
        if function is None and isinstance(named, str):
            return lambda later: self(named, later)
        if function is None:
            name, function = None, named
        elif isinstance(named, str) and named:
            name = named
        else:
            raise InvalidOption(
                self._kind,
                f"{self._kind} takes a function, or a name and a function; got {named!r:.60}.",
            )
        self._keeper.add_hook(self._kind, function, name)
        return function

    def __repr__(self) -> str:
        return f"<{self._kind} of {type(self._keeper).__name__}>"


class Decorators:
    """`@hooks.on_success` for all tasks, `@my_task.on_success` for one.

    Each takes the function, or a name to show and the function; see `Adder`.
    """

    def add_hook(self, kind: str, function: AnyHook, name: str | None = None) -> None:
        """Register a hook by its kind."""
        raise TypeError("A subclass keeps the hooks.")

    @property
    def middleware(self) -> Adder:
        """Code around the attempt: it calls `next()`, or `await next()`, once."""
        return Adder(self, "middleware")

    @property
    def on_start_attempt(self) -> Adder:
        """Before the body, in every attempt. An error fails the attempt."""
        return Adder(self, "on_start_attempt")

    @property
    def on_wait(self) -> Adder:
        """Before the run leaves its worker to wait."""
        return Adder(self, "on_wait")

    @property
    def on_resume(self) -> Adder:
        """After a wait, before the body goes on."""
        return Adder(self, "on_resume")

    @property
    def on_success(self) -> Adder:
        """The run succeeded with `output`."""
        return Adder(self, "on_success")

    @property
    def on_failure(self) -> Adder:
        """The run ended with `error`, and is not tried again."""
        return Adder(self, "on_failure")

    @property
    def on_complete(self) -> Adder:
        """The run ended, however it did: `result`."""
        return Adder(self, "on_complete")

    @property
    def catch_error(self) -> Adder:
        """An attempt failed with `error`: decide about the retry (`ErrorDecision`)."""
        return Adder(self, "catch_error")

    @property
    def on_cancel(self) -> Adder:
        """The run was canceled; `run` is what its body came to."""
        return Adder(self, "on_cancel")

    @property
    def init(self) -> Adder:
        """Deprecated: before the body, in every attempt; what it returns is `init` everywhere."""
        return Adder(self, "init")

    @property
    def on_start(self) -> Adder:
        """Deprecated: before the body, in the first attempt alone."""
        return Adder(self, "on_start")

    @property
    def cleanup(self) -> Adder:
        """Deprecated: after every attempt. An error fails the attempt."""
        return Adder(self, "cleanup")

    @property
    def handle_error(self) -> Adder:
        """Deprecated: the older name of `catch_error`."""
        return Adder(self, "handle_error")

    @property
    def on_error(self) -> Adder:
        """Deprecated: an attempt failed with `error`, whether or not another follows."""
        return Adder(self, "on_error")

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

    A hook is registered once, however often its function is given; with a name, `on_failure("alerts", fn)`,
    the last one of that name stays. One that is registered while a run executes is that attempt's alone.

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
