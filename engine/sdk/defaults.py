"""`defaults(...)`: options of every task that states none itself."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from engine.sdk.machines import memory_of, preset_name
from engine.sdk.retries import as_policy
from engine.sdk.unknown import only_known
from runs import conf, durations
from runs.durations import seconds
from runs.errors import InvalidOption
from runs.retries import RetryPolicy

Duration = float | str | timedelta


class Stated(NamedTuple):
    """What a task, or `defaults`, says of these options; None says nothing."""

    retry: RetryPolicy | None = None
    machine: str | None = None
    max_duration: float | None = None
    ttl: float | None = None


def stated(
    *,
    retry: RetryPolicy | Mapping[str, Any] | None = None,
    machine: str | Mapping[str, Any] | None = None,
    max_duration: Duration | None = None,
    ttl: Duration | None = None,
) -> Stated:
    """The options, checked."""
    policy = None if retry is None else as_policy(retry)
    preset = None if machine is None else preset_name(machine)
    if policy is not None and preset is not None:
        check_larger(policy.out_of_memory_machine, preset)
    return Stated(
        policy,
        preset,
        None if max_duration is None else durations.limit(max_duration),
        None if ttl is None else seconds(ttl, "ttl"),
    )


def check_larger(out_of_memory: str, machine: str) -> None:
    """Who runs out of memory needs more of it."""
    if out_of_memory and memory_of(out_of_memory) <= memory_of(machine):
        raise InvalidOption(
            "retry.out_of_memory",
            f"retry.out_of_memory names {out_of_memory}, which has no more memory than the task's "
            f"machine {machine}.",
        )


_project = Stated()


@only_known
def defaults(
    *,
    retry: RetryPolicy | Mapping[str, Any] | None = None,
    machine: str | Mapping[str, Any] | None = None,
    max_duration: Duration | None = None,
    ttl: Duration | None = None,
) -> None:
    """Options of every task that states none, wherever it is defined.

    Call it in `init.py` of a task directory; a second call changes what it names. What nobody
    states comes from the settings.

    Example:
        defaults(retry=retry(max_attempts=5), max_duration="1h")
    """
    global _project
    try:
        given = stated(retry=retry, machine=machine, max_duration=max_duration, ttl=ttl)
    except InvalidOption as error:
        error.args = (f"defaults(...): {error}",)
        raise
    kept = {name: value for name, value in given._asdict().items() if value is not None}
    _project = _project._replace(**kept)


def forget() -> None:
    """Nothing is stated for the project any more; for tests."""
    global _project
    _project = Stated()


def effective(own: Stated) -> Stated:
    """The task's options, then those of `defaults`, then the settings. 0 has become None."""
    settings = from_settings()
    return Stated(
        own.retry or _project.retry or settings.retry,
        own.machine or _project.machine or settings.machine,
        first(own.max_duration, _project.max_duration, settings.max_duration),
        first(own.ttl, _project.ttl, settings.ttl),
    )


def first(*values: float | None) -> float | None:
    """The first that says something; 0 says that there is no limit."""
    return next(value for value in values if value is not None) or None


def from_settings() -> Stated:
    """What the settings say. Raises InvalidOption with the name of a wrong one."""
    return Stated(**{name.lower(): setting(name, check) for name, check in SETTINGS.items()})


def setting(name: str, check: Callable[[Any], Any]) -> Any:
    try:
        return check(conf.get(name))
    except InvalidOption as error:
        error.args = (f'TRACKSIDE["{name}"] in the settings: {error}',)
        raise


SETTINGS: dict[str, Callable[[Any], Any]] = {
    "RETRY": as_policy,
    "MACHINE": preset_name,
    "MAX_DURATION": durations.limit,
    "TTL": lambda value: seconds(value, "ttl"),
}
