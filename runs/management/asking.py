"""Arguments of `manage.py runs` and what they mean."""

import argparse
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from runs import durations, payloads
from runs.errors import InvalidOption
from runs.lifecycle.options import TriggerOptions
from runs.models.run import RunQuerySet
from runs.reads import demands, grammar
from runs.reads.grammar import GrammarError
from runs.reads.runfilter import RunFilter
from runs.states import RunStatus


def add_filters(parser: argparse.ArgumentParser) -> None:
    """The filters of `list`; several values of one filter mean any of them."""
    words = [status.lower() for status in RunStatus.values]
    parser.add_argument("--status", action="append", choices=words, type=str.lower, default=[])
    parser.add_argument("--task", action="append", default=[], metavar="ID")
    parser.add_argument("--queue", action="append", default=[], metavar="NAME")
    parser.add_argument("--tag", action="append", default=[])
    parser.add_argument(
        "--query", default="", help="as in the dashboard: 'error:Timeout dur:>30s -tag:x'"
    )
    parser.add_argument("--since", metavar="DURATION", help="triggered in this time, like 1h")
    parser.add_argument("--test", action="store_true", default=None, help="only test runs")
    parser.add_argument("--limit", type=_count, default=20, help="how many (default 20)")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 10_000):
        raise argparse.ArgumentTypeError("must be a number from 1 to 10000")
    return int(text)


def filtered(options: dict[str, Any], now: datetime, *, cut: bool = True) -> RunQuerySet:
    """The runs `list` is asked for, newest first; all of them with all they hold unless `cut`."""
    try:
        terms = grammar.parse(options["query"])
    except GrammarError as error:
        raise InvalidOption("--query", f"--query, character {error.at + 1}: {error}") from None
    start, end = demands.window(terms, now)
    if options["since"]:
        since = now - timedelta(seconds=durations.seconds(options["since"], "--since"))
        start = max(since, start) if start else since
    chosen = RunFilter(
        status=tuple(word.upper() for word in options["status"]),
        task=tuple(options["task"]),
        queue=tuple(options["queue"]),
        tag=tuple(options["tag"]),
        test=options["test"],
        query=grammar.write(terms),
        start=start,
        end=end,
    )
    found = chosen.runs()
    return found.newest_first().light()[: options["limit"]] if cut else found


def add_payload(parser: argparse.ArgumentParser) -> None:
    """Where a payload comes from: the argument, a file, or stdin as `-`."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("payload", nargs="?", help="JSON, or - to read it from stdin")
    source.add_argument("--file", metavar="PATH", help="read the JSON from a file")


def payload(options: dict[str, Any]) -> str | None:
    """The payload's JSON text, or None where none was given."""
    given, path = options["payload"], options["file"]
    if given is None and path is None:
        return None
    if path is not None:
        return payloads.clean(_contents(path))
    return payloads.clean(sys.stdin.buffer.read() if given == "-" else given)


def _contents(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CommandError(f"Cannot read {path}: {reason}.") from error


def lines(path: str) -> Iterator[bytes]:
    """The lines of a file, or of stdin as `-`, as they come."""
    if path == "-":
        yield from sys.stdin.buffer
        return
    try:
        with Path(path).open("rb") as file:
            yield from file
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CommandError(f"Cannot read {path}: {reason}.") from error


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of a trigger."""
    parser.add_argument("--queue", metavar="NAME")
    parser.add_argument("--key", metavar="TEXT", help="concurrency key")
    parser.add_argument("--delay", metavar="WHEN", help="a duration like 1h30m or an ISO date")
    parser.add_argument("--ttl", metavar="DURATION", help="expire if not started by then")
    parser.add_argument("--idempotency-key", metavar="TEXT")
    parser.add_argument("--tag", action="append", metavar="TEXT", help="up to ten times")
    parser.add_argument("--metadata", metavar="JSON", help="a JSON object")
    parser.add_argument("--priority", type=float, metavar="SECONDS", help="head start")
    parser.add_argument("--max-attempts", type=int, metavar="N")
    parser.add_argument("--max-duration", metavar="DURATION")
    parser.add_argument("--machine", metavar="PRESET", help="like small-1x")
    parser.add_argument("--lock-to-version", metavar="VERSION")
    parser.add_argument("--test", action="store_true", help="mark as a test run")


def trigger_options(options: dict[str, Any]) -> TriggerOptions:
    """What was asked for, as the lifecycle takes it."""
    return TriggerOptions(
        queue=options["queue"],
        concurrency_key=options["key"],
        delay=when(options["delay"]),
        ttl=span(options["ttl"], "--ttl"),
        idempotency_key=options["idempotency_key"],
        tags=None if options["tag"] is None else tuple(options["tag"]),
        metadata=options["metadata"],
        priority=options["priority"],
        max_attempts=options["max_attempts"],
        max_duration=span(options["max_duration"], "--max-duration"),
        machine=options["machine"],
        version=options["lock_to_version"],
        is_test=options["test"],
    )


def span(text: str | None, name: str) -> float | None:
    """A duration, or seconds."""
    if text is None:
        return None
    return durations.seconds(float(text) if text.replace(".", "", 1).isdigit() else text, name)


def when(text: str | None) -> float | datetime | None:
    """A delay: a duration or a moment."""
    try:
        return span(text, "--delay")
    except InvalidOption as error:
        try:
            moment = datetime.fromisoformat(str(text))
        except ValueError:
            raise error from None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
