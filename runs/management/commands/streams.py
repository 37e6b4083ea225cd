"""`manage.py streams`: read what runs give out, append to it, and send them messages, from a shell."""

import json
import sys
import threading
import time
from typing import Any

from django.core.management.base import CommandParser

from runs import payloads
from runs.errors import InvalidOption, NotFound
from runs.lifecycle import streams
from runs.management import asking
from runs.management.terminal import VerbCommand, actor, plain
from runs.models import Run
from runs.reads import streams as reads
from runs.reads.streams import Chunk, Place

#: Seconds between two looks at a stream that is read.
PERIOD = 0.25
#: Lines that are stored together.
TOGETHER = 200
TARGETS = {"self": "id", "parent": "parent_id", "root": "root_id"}


class Command(VerbCommand):
    help = "Read and write streams of runs, and send messages to their inputs."
    examples = """examples:
  python manage.py streams list run_01k...
  python manage.py streams read run_01k... answer
  python manage.py streams append run_01k... progress '{"done": 3}'
  produce | python manage.py streams write run_01k... rows
  python manage.py streams send run_01k... approval '{"approved": true}'
"""

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(
            dest="verb", required=True, metavar="list|read|append|write|send"
        )
        parsers = {
            "list": verbs.add_parser("list", help="the keys of what a run has given out"),
            "read": verbs.add_parser("read", help="print a stream until the run has ended"),
            "append": verbs.add_parser("append", help="append one value"),
            "write": verbs.add_parser("write", help="append each line of a file"),
            "send": verbs.add_parser("send", help="send a message to an input of a run"),
        }
        for name, verb in parsers.items():
            verb.add_argument("run", help="the run's id")
            if name != "list":
                verb.add_argument("key", help="the stream's key")
        for name in ("append", "write"):
            parsers[name].add_argument(
                "--target", choices=sorted(TARGETS), default="self", help="whose stream it is"
            )
        parsers["append"].add_argument("data", help="JSON, or - to read it from stdin")
        parsers["send"].add_argument("data", nargs="?", help="JSON; null without")
        parsers["write"].add_argument("file", nargs="?", default="-", help="stdin without")
        parsers["write"].add_argument("--text", action="store_true", help="lines are text")
        _add_reading(parsers["read"])

    def do_list(self, options: dict[str, Any]) -> None:
        run = _run(options["run"])
        for key in reads.keys([run.pk]).get(run.pk, []):
            self.stdout.write(plain(key))

    def do_read(self, options: dict[str, Any]) -> None:
        place = Place(_run(options["run"]).pk, options["key"], options["input"])
        stands = reads.standing([place])[place]
        number = stands.chunks if options["latest"] else (options["after"] or -1) + 1
        pause, heard = threading.Event(), time.monotonic()
        while True:
            stands = reads.standing([place]).get(place, stands)
            for chunk in (found := reads.read(place, number)):
                self._print(chunk, options)
                number, heard = chunk.number + 1, time.monotonic()
            if not found:
                if stands.is_over or time.monotonic() - heard >= options["quiet"]:
                    return
                pause.wait(PERIOD)

    def do_append(self, options: dict[str, Any]) -> None:
        given = sys.stdin.buffer.read() if options["data"] == "-" else options["data"]
        text = streams.line_of(payloads.clean(given))
        streams.append(_owner(options), options["key"], [text])
        self.stdout.write("appended")

    def do_write(self, options: dict[str, Any]) -> None:
        owner, waiting, count = _owner(options), list[str](), 0
        for raw in asking.lines(options["file"]):
            if options["text"]:
                waiting.append(json.dumps(raw.decode(errors="replace")))
            elif raw.strip():
                waiting.append(streams.line_of(payloads.clean(raw)))
            if len(waiting) == TOGETHER:
                streams.append(owner, options["key"], waiting)
                waiting, count = [], count + TOGETHER
        streams.append(owner, options["key"], waiting)
        self.stdout.write(f"{count + len(waiting)} appended")

    def do_send(self, options: dict[str, Any]) -> None:
        data = "null" if options["data"] is None else payloads.clean(options["data"])
        streams.send(_run(options["run"]).pk, options["key"], data, by=actor())
        self.stdout.write("sent")

    def _print(self, chunk: Chunk, options: dict[str, Any]) -> None:
        if options["json"]:
            facts = {"number": chunk.number, "at": chunk.at.isoformat()}
            self.stdout.write(json.dumps(facts | {"value": json.loads(chunk.text)}))
            return
        value = json.loads(chunk.text)
        is_text = isinstance(value, str)
        self.stdout.write(plain(value if is_text else chunk.text), ending="" if is_text else "\n")
        self.stdout.flush()


def _add_reading(parser: Any) -> None:
    parser.add_argument("--after", type=int, metavar="N", help="begin behind chunk number N")
    parser.add_argument("--latest", action="store_true", help="only what comes from now on")
    parser.add_argument("--input", action="store_true", help="what was sent to the run's input")
    parser.add_argument("--json", action="store_true", help="one JSON object per chunk")
    parser.add_argument(
        "--quiet", type=float, default=60.0, help="end after so many seconds of it (60)"
    )


def _run(run_id: str) -> Run:
    run = Run.objects.light().filter(pk=run_id.replace("\x00", "")).first()
    if run is None:
        raise NotFound(f"There is no run {run_id[:60]}.")
    return run


def _owner(options: dict[str, Any]) -> str:
    """The run whose stream is meant."""
    if streams.KEY.fullmatch(options["key"]) is None:
        raise InvalidOption("key", "A stream's key has 1 to 128 characters.")
    run = _run(options["run"])
    return str(getattr(run, TARGETS[options["target"]]) or run.pk)
