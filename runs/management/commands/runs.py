"""`manage.py runs`: look at runs and act on them from a shell."""

import threading
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from runs import lifecycle
from runs.errors import NotFound
from runs.lifecycle import Edit, keys
from runs.management import asking, changing, showing
from runs.management.terminal import VerbCommand, actor, plain
from runs.models import LogLine, Run, Source
from runs.reads import exporting
from runs.states import UNSUCCESSFUL, RunStatus

#: Seconds between two looks at a run that is followed.
PERIOD = 0.5
#: Exit code when a followed run ended without success.
UNSUCCESSFUL_CODE = 3


class Command(VerbCommand):
    help = "List, show, trigger, cancel, replay, edit, purge and unlock runs."
    examples = """examples:
  python manage.py runs list --status failed --task send-email --since 1d
  python manage.py runs list --query 'error:Timeout dur:>30s -tag:internal after:2h'
  python manage.py runs show run_01k... --follow
  python manage.py runs trigger send-email '{"to": "ann@example.com"}' --follow
  python manage.py runs trigger import --file rows.json --queue imports --tag nightly
  echo '[1, 2]' | python manage.py runs trigger sum -
  python manage.py runs cancel run_01k... --reason "wrong file"
  python manage.py runs replay run_01k... '{"to": "bob@example.com"}'
  python manage.py runs edit run_01k... --priority 60 --delay 10m
  python manage.py runs purge --queue mail --older-than 1d --yes
  python manage.py runs forget-key charge order-7
  python manage.py runs list --json | jq -r .id
  python manage.py runs export --status failed --since 30d > failed.jsonl

exit codes: 0 done, 1 refused, 2 wrong arguments, 3 the followed run ended without success
"""

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(
            dest="verb",
            required=True,
            metavar="list|export|show|trigger|cancel|replay|reschedule|tag|edit|purge|forget-key|unlock",
        )
        listing = verbs.add_parser("list", help="newest runs first")
        asking.add_filters(listing)
        export = verbs.add_parser("export", help="runs as JSON Lines, with all their documents")
        asking.add_filters(export)
        show = verbs.add_parser("show", help="one run with its attempts, payload and output")
        show.add_argument("run", help="the run's id")
        trigger = verbs.add_parser("trigger", help="make a run and print its id")
        trigger.add_argument("task", help="the task's id")
        replay = verbs.add_parser("replay", help="run again, as it was or with changes")
        replay.add_argument("run", help="the run's id")
        for verb in (trigger, replay):
            asking.add_payload(verb)
            asking.add_options(verb)
        for verb in (show, trigger, replay):
            verb.add_argument("--follow", action="store_true", help="print logs until it ended")
        for verb in (listing, show, trigger, replay):
            verb.add_argument("--json", action="store_true", help="one JSON object per line")
        _add_cancel(verbs.add_parser("cancel", help="stop runs"))
        reschedule = verbs.add_parser("reschedule", help="let a delayed run start at another time")
        reschedule.add_argument("run", help="the run's id")
        reschedule.add_argument("delay", help="from now, as 10m, or an ISO 8601 date")
        tag = verbs.add_parser("tag", help="add tags to a run")
        tag.add_argument("run", help="the run's id")
        tag.add_argument("tags", nargs="+")
        changing.add_edit(verbs.add_parser("edit", help="change a run that was never started"))
        changing.add_purge(verbs.add_parser("purge", help="cancel what was never started"))
        forget = verbs.add_parser("forget-key", help="free an idempotency key")
        forget.add_argument("task", help="the task's id")
        forget.add_argument("key", help="as it was given, or its hash")
        unlock = verbs.add_parser("unlock", help="let runs go on with any version of the code")
        unlock.add_argument("run", nargs="+", help="ids of runs that do not execute")

    def do_list(self, options: dict[str, Any]) -> None:
        now = timezone.now()
        for run in asking.filtered(options, now):
            text = showing.as_json(run, heavy=False) if options["json"] else showing.row(run, now)
            self.stdout.write(text)

    def do_export(self, options: dict[str, Any]) -> None:
        for text in exporting.lines(asking.filtered(options, timezone.now(), cut=False)):
            self.stdout.write(text, ending="")

    def do_show(self, options: dict[str, Any]) -> None:
        run = _run(options["run"])
        if options["follow"]:
            run = self._follow(run)
        self._print(run, options)
        _exit(run, options)

    def do_trigger(self, options: dict[str, Any]) -> None:
        made = lifecycle.trigger(
            options["task"],
            asking.payload(options),
            asking.trigger_options(options),
            source=Source.CLI,
            actor=actor(),
        )
        if made.is_skipped:
            self.stderr.write("No run was made: this one of the task is still open.")
        elif made.is_cached:
            self.stderr.write("The idempotency key belongs to an earlier run:")
        self._answer(made.run_id, options)

    def do_cancel(self, options: dict[str, Any]) -> None:
        for run_id in options["run"]:
            run = lifecycle.cancel(
                run_id,
                actor=actor(),
                reason=options["reason"],
                keep_children=options["keep_children"],
            )
            word = "canceling" if run.is_canceling else run.get_status_display().lower()
            self.stdout.write(f"{run.id} {word}")

    def do_reschedule(self, options: dict[str, Any]) -> None:
        delay = asking.when(options["delay"])
        run = lifecycle.edit(_run(options["run"]).pk, Edit(delay=delay), actor=actor())
        self.stdout.write(f"{run.id} {run.get_status_display().lower()}")

    def do_tag(self, options: dict[str, Any]) -> None:
        has = lifecycle.add_tags(_run(options["run"]).pk, options["tags"], actor=actor())
        self.stdout.write(plain(" ".join(has)))

    def do_edit(self, options: dict[str, Any]) -> None:
        wanted = changing.edit(options)
        run = lifecycle.edit(options["run"], wanted, actor=actor(), reason=options["reason"])
        self._print(run, options)

    def do_purge(self, options: dict[str, Any]) -> None:
        chosen = changing.selection(options)
        if not options["yes"]:
            count = lifecycle.purgeable(chosen.runs()).count()
            self.stdout.write(f"{count} runs would be canceled. Say --yes to do it.")
            return
        count = lifecycle.purge(
            chosen.runs(), actor=actor(), reason=options["reason"], asked=chosen.facts
        )
        self.stdout.write(f"{count} runs canceled")

    def do_forget_key(self, options: dict[str, Any]) -> None:
        if not keys.reset(options["task"], options["key"], actor=actor()):
            raise NotFound(f"No run of task “{options['task'][:60]}” has this key.")
        self.stdout.write("forgotten")

    def do_unlock(self, options: dict[str, Any]) -> None:
        for run_id in options["run"]:
            run = lifecycle.unlock(run_id, actor=actor())
            self.stdout.write(f"{run.id} {run.get_status_display().lower()}")

    def do_replay(self, options: dict[str, Any]) -> None:
        payload = asking.payload(options)
        made = lifecycle.replay(
            options["run"],
            actor=actor(),
            payload=lifecycle.KEEP if payload is None else payload,
            options=asking.trigger_options(options),
        )
        self._answer(made.run_id, options)

    def _answer(self, run_id: str, options: dict[str, Any]) -> None:
        """The new run's id; with --json or --follow the run itself."""
        if not (options["follow"] or options["json"]):
            self.stdout.write(run_id)
            return
        options["run"] = run_id
        self.do_show(options)

    def _print(self, run: Run, options: dict[str, Any]) -> None:
        if options["json"]:
            self.stdout.write(showing.as_json(run, heavy=True))
            return
        for text in showing.details(run):
            self.stdout.write(text)

    def _follow(self, run: Run) -> Run:
        """Print log lines and changes of status to stderr until `run` ended."""
        pause, seen, status = threading.Event(), 0, ""
        while True:
            run = _run(run.id)
            if run.status != status:
                status = run.status
                self.stderr.write(f"{timezone.now():%H:%M:%S}  {run.get_status_display()}")
            for entry in LogLine.objects.filter(run_id=run.id, id__gt=seen).order_by("id"):
                seen = entry.id
                self.stderr.write(showing.log(entry))
            if run.is_final:
                return run
            pause.wait(PERIOD)


def _add_cancel(parser: Any) -> None:
    parser.add_argument("run", nargs="+", help="ids of runs")
    parser.add_argument("--reason", default="", help="kept with the run and in the audit log")
    parser.add_argument("--keep-children", action="store_true", help="let its children go on")


def _run(run_id: str) -> Run:
    run = Run.objects.filter(pk=run_id).first() if "\x00" not in run_id else None
    if run is None:
        raise NotFound(f"There is no run {run_id[:60]}.")
    return run


def _exit(run: Run, options: dict[str, Any]) -> None:
    """A followed run decides the exit code."""
    ended_badly = run.status in UNSUCCESSFUL or run.status == RunStatus.CANCELED
    if options["follow"] and ended_badly:
        raise CommandError(f"{run.id} ended as {run.status}.", returncode=UNSUCCESSFUL_CODE)
