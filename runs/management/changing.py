"""Arguments of `manage.py runs edit` and `purge`, and what they mean."""

import argparse
from typing import Any

from runs.lifecycle import Edit, Selection
from runs.management import asking
from runs.states import PENDING


def add_edit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="the run's id")
    asking.add_payload(parser)
    parser.add_argument("--priority", type=float, metavar="SECONDS", help="head start")
    parser.add_argument("--queue", metavar="NAME")
    parser.add_argument(
        "--delay", metavar="WHEN", help="a duration like 1h30m, an ISO date; 0 for at once"
    )
    parser.add_argument("--reason", default="", help="kept with the run and in the audit log")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def edit(options: dict[str, Any]) -> Edit:
    """What was asked for; a payload that is to be none is given as null."""
    given: dict[str, Any] = {
        "priority": options["priority"],
        "queue": options["queue"],
        "delay": asking.when(options["delay"]),
        "payload": asking.payload(options),
    }
    return Edit(**{name: value for name, value in given.items() if value is not None})


def add_purge(parser: argparse.ArgumentParser) -> None:
    words = sorted(status.lower() for status in PENDING)
    parser.add_argument("--queue", action="append", default=[], metavar="NAME")
    parser.add_argument("--task", action="append", default=[], metavar="ID")
    parser.add_argument("--tag", action="append", default=[])
    parser.add_argument("--key", action="append", default=[], help="concurrency key")
    parser.add_argument("--status", action="append", choices=words, type=str.lower, default=[])
    parser.add_argument("--older-than", metavar="DURATION", help="triggered before that, like 1h")
    parser.add_argument("--reason", default="", help="kept with the runs and in the audit log")
    parser.add_argument("--yes", action="store_true", help="do it; else they are only counted")


def selection(options: dict[str, Any]) -> Selection:
    """The runs that are meant."""
    return Selection(
        queue=options["queue"],
        task=options["task"],
        tag=options["tag"],
        key=options["key"],
        status=[word.upper() for word in options["status"]],
        older_than=asking.span(options["older_than"], "--older-than"),
    )
