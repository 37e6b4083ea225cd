"""`retry`: how a failed run is tried again, and blocks and HTTP requests inside a body."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack, cast

from engine.sdk.errors import AbortTaskRunError
from engine.sdk.machines import preset_name
from engine.sdk.pauses import apause, pause
from engine.sdk.spans import opened
from engine.sdk.tracer import Entered, Span
from engine.sdk.tries import UsedTries
from engine.sdk.unknown import refuse_unknown
from runs.durations import LONGEST, seconds
from runs.errors import InvalidOption
from runs.retries import ALIASES, Kind, RetryPolicy

if TYPE_CHECKING:
    import httpx

    from engine.sdk.fetching import FetchOptions

T = TypeVar("T")
Duration = float | str | timedelta
NAMES = (
    *("max_attempts", "factor", "min_timeout", "max_timeout", "randomize"),
    *("out_of_memory", "only", "never"),
)
#: A hundred years.
MOST_MS = LONGEST * 1000


class RetryOptions(TypedDict, total=False):
    """How often, and how soon, something is tried again."""

    #: Tries in total, the first included.
    max_attempts: int
    factor: float
    min_timeout: Duration
    max_timeout: Duration
    randomize: bool
    #: Retry these exceptions alone; never these. Classes, or names of classes.
    only: Kind | Iterable[Kind]
    never: Kind | Iterable[Kind]


class Retry:
    """Try a failed run again: `max_attempts` times in total, waiting longer each time.

    After attempt n the wait is `min_timeout * factor ** (n - 1)`, up to twice that with
    `randomize`, and never more than `max_timeout`. `out_of_memory={"machine": "large-1x"}` gives a
    run that ran out of memory one more try on a larger machine. `only` and `never` say which
    exceptions are retried.

    Example:
        @task(retry=retry(max_attempts=10, factor=1.8, min_timeout=0.5, never=[ValueError]))
        def fetch(payload): ...
    """

    def __call__(
        self,
        *,
        out_of_memory: Mapping[str, Any] | None = None,
        **options: Unpack[RetryOptions],
    ) -> RetryPolicy:
        """The policy of these options."""
        given: dict[str, Any] = {
            name: seconds(value, f"retry.{name}") if name.endswith("_timeout") else value
            for name, value in options.items()
        }
        refuse_unknown(given, NAMES, "retry", "retry")
        if not isinstance(given.setdefault("randomize", True), bool):
            raise InvalidOption(
                "retry.randomize",
                f"retry.randomize is True or False; got {given['randomize']!r:.80}.",
            )
        policy = RetryPolicy(out_of_memory_machine=_larger_machine(out_of_memory), **given)
        _check_order(policy, "max_timeout" in given)
        return policy

    def on_throw(self, function: Callable[..., T], **options: Unpack[RetryOptions]) -> T:
        """Call `function` until it does not raise; of an `async` function, `await` the answer.

        It may take `attempt` and `max_attempts`. When no try is left, and for AbortTaskRunError,
        the error is raised as it came. A stop of the run ends the pause between two tries. In a body
        a pause of 5 seconds or more is a wait: the run leaves its worker, and the body runs again
        from the top, with the tries it has left.

        Example:
            page = retry.on_throw(lambda: download(url), max_attempts=5, only=[ConnectionError])
        """
        return cast("T", Tries(function, self(**options)).begin())

    def fetch(self, url: "httpx.URL | str", **options: "Unpack[FetchOptions]") -> "httpx.Response":
        """Send an HTTP request by httpx, again where its answer or its failure asks for it.

        Without `retry=`, answers 408, 409, 429 and 5xx, connection errors and time-outs are tried
        again with a growing pause. When the tries for an answer are used up it is returned.

        Example:
            response = retry.fetch(url, retry={"by_status": {"429": RESET, "5xx": {}}}, timeout=10)
        """
        return cast("httpx.Response", _fetching().fetch(url, **options))

    async def afetch(
        self, url: "httpx.URL | str", **options: "Unpack[FetchOptions]"
    ) -> "httpx.Response":
        """`fetch` for `async` bodies."""
        return cast("httpx.Response", await _fetching().afetch(url, **options))


retry = Retry()


def _fetching() -> Any:
    """The helper over httpx, which only those import who use it."""
    return import_module("engine.sdk.fetching")


class Tries:
    """One call of `on_throw`."""

    def __init__(self, function: Callable[..., Any], policy: RetryPolicy) -> None:
        if not callable(function):
            raise InvalidOption(
                "function", f"retry.on_throw takes a function to call; got {function!r:.80}."
            )
        self._function, self._policy, self._number = function, policy, 0
        self._wants, self._used = _wanted(function), UsedTries.here()
        name = str(getattr(function, "__name__", type(function).__name__))
        self._name = "on_throw" if name == "<lambda>" else name

    def begin(self) -> Any:
        """Plain calls to their end; the rest of an `async` one as a coroutine."""
        self._number = 0 if self._used is None else self._used.so_far()
        while True:
            entered = Entered(self._span())
            try:
                answer = self._call()
            except BaseException as error:
                entered.leave(error)
                pause(self._delay(error))
                continue
            if inspect.isawaitable(answer):
                entered.step_out()
                return self._finish(answer, entered.span)
            entered.leave(None)
            return self._done(answer)

    async def _finish(self, answer: Awaitable[Any], span: Span) -> Any:
        while True:
            entered = Entered(span)
            try:
                result = await answer
            except BaseException as error:
                entered.leave(error)
                await apause(self._delay(error))
            else:
                entered.leave(None)
                return self._done(result)
            span = self._span()
            answer = self._call()

    def _span(self) -> Span:
        number, most = self._number + 1, self._policy.max_attempts
        facts = {"try": number, "max_attempts": most}
        return opened(f"{self._name}, try {number} of {most}", "try", facts)

    def _done(self, answer: Any) -> Any:
        if self._used is not None:
            self._used.close()
        return answer

    def _call(self) -> Any:
        self._number += 1
        facts = {"attempt": self._number, "max_attempts": self._policy.max_attempts}
        return self._function(**{name: facts[name] for name in self._wants})

    def _delay(self, error: BaseException) -> float:
        """Seconds until the next try; raises the error when there is none."""
        delay = self._policy.delay(self._number)
        if not isinstance(error, Exception):
            raise error
        if delay is None or is_abort(error) or not self._policy.allows(error):
            self._done(None)
            raise error
        if self._used is not None:
            self._used.keep(self._number, delay)
        return delay


def _wanted(function: Callable[..., Any]) -> list[str]:
    try:
        known = inspect.signature(function).parameters
    except (TypeError, ValueError):  # some of C's have none
        return []
    return [name for name in ("attempt", "max_attempts") if name in known]


def is_abort(error: BaseException) -> bool:
    """Whether the error asks for no other try, by the name of its class."""
    return any(base.__name__ == AbortTaskRunError.__name__ for base in type(error).__mro__)


def as_policy(value: RetryPolicy | Mapping[str, Any] | None) -> RetryPolicy:
    """The policy of a task's `retry=`: the object, a dict with the same names, or the default."""
    if isinstance(value, RetryPolicy):
        return value
    if value is None:
        return RetryPolicy()
    if not isinstance(value, Mapping):
        raise InvalidOption("retry", f"retry is retry(...) or a dict; got {value!r:.80}.")
    refuse_unknown(value, (*NAMES, *ALIASES), "retry", "retry")
    for name, ours in ALIASES.items():
        if name in value and ours in value:
            raise InvalidOption(f"retry.{name}", f"retry has both {ours} and {name}: state one.")
    options = {ALIASES.get(name, name): _in_seconds(name, given) for name, given in value.items()}
    return retry(**cast("Any", options))


def _in_seconds(name: str, given: Any) -> Any:
    if name not in ALIASES:
        return given
    if not isinstance(given, (int, float)) or isinstance(given, bool) or not 0 <= given <= MOST_MS:
        raise InvalidOption(
            f"retry.{name}", f"retry.{name} is a number of milliseconds from 0; got {given!r:.60}."
        )
    return given / 1000


def _check_order(policy: RetryPolicy, stated: bool) -> None:
    """Refuse a first pause that the longest one would cut."""
    least, most = policy.min_timeout, policy.max_timeout
    if least > most:
        default = "" if stated else ", its default"
        raise InvalidOption(
            "retry.min_timeout",
            f"retry.min_timeout of {least:g} seconds is longer than retry.max_timeout ({most:g}"
            f"{default}): no pause could be so long.",
        )


def _larger_machine(out_of_memory: object) -> str:
    if out_of_memory is None:
        return ""
    if not isinstance(out_of_memory, Mapping) or set(out_of_memory) != {"machine"}:
        raise InvalidOption("retry", 'retry.out_of_memory is {"machine": "<preset>"}.')
    try:
        return preset_name(out_of_memory["machine"])
    except InvalidOption as error:
        raise InvalidOption("retry.out_of_memory", f"retry.out_of_memory: {error}") from error
