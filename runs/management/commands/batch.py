"""`manage.py batch`: make many runs at once from a shell, and look at them."""

import json
from typing import Any

from django.core.management.base import CommandParser

from runs.ids import new_id
from runs.lifecycle import batches
from runs.management import asking, batching, showing
from runs.management.terminal import VerbCommand, actor, line, plain
from runs.models import Run, Source
from runs.reads import batches as reads
from runs.states import RunStatus


class Command(VerbCommand):
    help = "Make a run of each line of a file, and look at batches."
    examples = """examples:
  python manage.py batch trigger rows.jsonl --task import
  printf '{"task": "sum", "payload": [1, 2], "options": {"delay": "1h"}}' | python manage.py batch trigger -
  python manage.py batch show batch_01k...
  python manage.py batch results batch_01k...
"""

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="trigger|show|results")
        trigger = verbs.add_parser("trigger", help="make a run of each line, all or none")
        trigger.add_argument(
            "file",
            help='lines of JSON, {"task"?, "payload"?, "options"?}, options as of “runs trigger”; '
            "- reads stdin",
        )
        trigger.add_argument("--task", metavar="ID", help="for lines that name none")
        trigger.add_argument("--idempotency-key", metavar="TEXT", help="one batch for all with it")
        show = verbs.add_parser("show", help="how a batch stands")
        results = verbs.add_parser("results", help="how those of its runs ended that have")
        for verb in (show, results):
            verb.add_argument("batch", help="its id")
        for verb in (trigger, show, results):
            verb.add_argument("--json", action="store_true", help="one JSON object per line")

    def do_trigger(self, options: dict[str, Any]) -> None:
        items = batching.items(asking.lines(options["file"]), options["task"])
        made = batches.trigger(
            items,
            new_id("batch"),
            key=options["idempotency_key"],
            source=Source.CLI,
            actor=actor(),
        )
        if made.is_cached:
            self.stderr.write("The idempotency key belongs to an earlier batch:")
        facts = {"id": made.batch_id, "runs": len(made.runs), "is_cached": made.is_cached}
        self.stdout.write(json.dumps(facts) if options["json"] else made.batch_id)

    def do_show(self, options: dict[str, Any]) -> None:
        batch = reads.find(options["batch"])
        facts = reads.described(batch)
        facts["problems"] = [one._asdict() for one in batch.problem_list]
        if options["json"]:
            self.stdout.write(json.dumps(facts, default=str))
            return
        runs = f"{facts['run_count']} runs, {facts['successful_run_count']} completed"
        self.stdout.write(f"{batch.pk}  {facts['status']}  {runs}, {facts['failed_run_count']} not")
        for problem in batch.problem_list:
            self.stdout.write(f"  {problem.place}: {plain(problem.message)}")

    def do_results(self, options: dict[str, Any]) -> None:
        ids = reads.run_ids(reads.find(options["batch"]))
        for run in reads.ended(ids):
            self.stdout.write(showing.as_json(run, heavy=True) if options["json"] else _row(run))


def _row(run: Run) -> str:
    is_done = run.status == RunStatus.COMPLETED
    told = run.output if is_done else (run.error or run.reason)
    return f"{run.pk}  {run.get_status_display():12}  {line(told or '', 120)}".rstrip()
