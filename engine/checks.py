"""What Django checks before a command runs."""

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.checks import (
    CheckMessage,
    Error,
    Tags,
    Warning,  # noqa: A004  Django's word
    register,
)
from django.db import connection
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from engine.sdk.defaults import SETTINGS, Stated, effective
from engine.sdk.logs import least_level
from engine.sdk.machines import redefined
from engine.sdk.unknown import refuse_unknown
from runs import conf, redaction
from runs.errors import InvalidOption
from runs.lifecycle import ages, allowances
from runs.pooling import is_pooled

#: What `manage.py check --tag` calls them.
TAG = "trackside"
#: With 0 of these nothing would work, or nothing else would be done.
POSITIVE = {
    *("PAYLOAD_LIMIT", "OUTPUT_LIMIT", "METADATA_LIMIT", "HEARTBEAT_SECONDS", "LEASE_SECONDS"),
    *("SWEEP_SECONDS", "POLL_SECONDS", "CRASH_LIMIT", "RECYCLE_RUNS", "REALTIME_SUBSCRIBERS"),
    *("STREAM_CHUNK_LIMIT", "STREAM_LIMIT", "RUN_STREAMS_LIMIT"),
}
#: Of any setting that is a number.
MOST = 1e18
KINDS = ("dev", "staging", "prod")
SHORTEST_TOKEN = 16


@register(TAG)
def defaults_are_right(**_: Any) -> list[CheckMessage]:
    """The settings that are defaults of tasks: a wrong one would end every worker at its start."""
    try:
        effective(Stated())
        least_level()
        redefined()
    except InvalidOption as error:
        return [Error(str(error), id="trackside.E001")]
    return []


@register(TAG)
def settings_are_right(**_: Any) -> list[CheckMessage]:
    """Every setting there is may have its value, and there are no others."""
    return [Error(problem, id="trackside.E002") for problem in problems()]


@register(TAG)
def the_token_of_metrics_is_long(**_: Any) -> list[CheckMessage]:
    """It opens them to whoever guesses it."""
    if 0 < len(str(conf.get("METRICS_TOKEN"))) < SHORTEST_TOKEN:
        said = f"METRICS_TOKEN has at least {SHORTEST_TOKEN} characters; make one with: openssl rand -hex 16"
        return [Error(said, id="trackside.E006")]
    return []


@register(TAG)
def packets_have_a_storage(**_: Any) -> list[CheckMessage]:
    """A name that is written wrong must not put large payloads onto the disk of one machine."""
    name, usual = conf.get("PACKET_STORAGE"), conf.DEFAULTS["PACKET_STORAGE"]
    if name in {*settings.STORAGES, usual}:
        return []
    said = f'TRACKSIDE["PACKET_STORAGE"] is an entry of STORAGES; there is no {name!r:.60}.'
    return [Error(said, id="trackside.E003")]


@register
def redaction_is_right(**_: Any) -> list[CheckMessage]:
    """A pattern that is none would mask nothing."""
    problem = redaction.problem(conf.get("REDACT"))
    return [Error(problem, id="trackside.E004")] if problem else []


@register(TAG)
def clusters_can_be_woken(**_: Any) -> list[CheckMessage]:
    """Behind a pooler of transactions they need a connection of their own for that."""
    url = conf.get("LISTEN_URL")
    try:
        conninfo_to_dict(url)
    except ProgrammingError:
        said = "TRACKSIDE_LISTEN_URL cannot be read; write postgres://user:password@host:5432/name."
        return [Error(said, id="trackside.E005")]
    if url or not is_pooled(connection):
        return []
    said = (
        "Behind a pooler of transactions nobody can wake a cluster: it looks for work every "
        "POLL_SECONDS. Name the database's own address in TRACKSIDE_LISTEN_URL."
    )
    return [Warning(said, id="trackside.W001")]


@register(Tags.database)
def database_is_well(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """What the Health page says of the database, where `check --database default` asks for it."""
    if "default" not in (databases or ()):
        return []
    # what looks is not for every process to have
    found: list[CheckMessage] = import_module("runs.health.checking").messages()
    return found


def problems() -> Iterator[str]:
    """One sentence for each setting that cannot be right."""
    given = getattr(settings, "TRACKSIDE", {})
    if not isinstance(given, dict):
        yield f"TRACKSIDE in the settings is a dict; it is {given!r:.60}."
        return
    try:
        ages.days()
    except InvalidOption as error:
        yield str(error)
    except (AttributeError, TypeError, ValueError):
        pass  # what is no dict or no number is told of below
    try:
        allowances.limit()
    except InvalidOption as error:
        yield str(error)
    try:
        refuse_unknown(given, conf.DEFAULTS, "TRACKSIDE in the settings")
    except InvalidOption as error:
        yield str(error)
    for name, default in conf.DEFAULTS.items():
        value = conf.get(name)
        if name not in SETTINGS and (allowed := wanted(name, default, value)):
            yield f'TRACKSIDE["{name}"], or TRACKSIDE_{name}, is {allowed}; got {value!r:.60}.'


def wanted(name: str, default: object, value: object) -> str:
    """What the setting may be, where the value is something else; empty where it is right."""
    if isinstance(default, bool):
        return "" if isinstance(value, bool) else "True or False (1 or 0 in the environment)"
    if isinstance(default, (int, float)):
        return wanted_number(name, default, value)
    if isinstance(default, list):
        fits = isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value)
        return "" if fits else "a list of texts"
    if name == "ENVIRONMENT":
        fits = isinstance(value, dict) and value.get("kind") in KINDS and "name" in value
        return "" if fits else f'{{"name": ..., "kind": one of {", ".join(KINDS)}}}'
    kind = "a dict (a JSON object in the environment)" if isinstance(default, dict) else "text"
    return "" if isinstance(value, type(default)) else kind


def wanted_number(name: str, default: float, value: object) -> str:
    kinds = (int,) if isinstance(default, int) else (int, float)
    is_number = isinstance(value, kinds) and not isinstance(value, bool)
    least = "more than 0" if name in POSITIVE else "at least 0"
    if is_number and 0 <= value <= MOST and (value or name not in POSITIVE):  # type: ignore[operator]
        return ""
    return f"a whole number, {least}" if isinstance(default, int) else f"a number, {least}"
