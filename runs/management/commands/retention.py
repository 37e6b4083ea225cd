"""`manage.py retention`: what goes and when, before it goes, and a copy of it."""

import argparse
import json
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from runs.errors import InvalidOption
from runs.lifecycle import ages, foresight, keeping
from runs.lifecycle.foresight import Preview
from runs.management.terminal import VerbCommand
from runs.reads import exporting
from runs.states import FINAL, RunStatus


class Command(VerbCommand):
    help = "Tell which runs retention would remove, and export them."
    examples = """examples:
  python manage.py retention preview
  python manage.py retention preview --days 30 --status completed=7 --status failed=90
  python manage.py retention export > old-runs.jsonl
  python manage.py retention export --days 365 | gzip > old-runs.jsonl.gz

Without --days and --status the settings RUN_RETENTION_DAYS and STATUS_RETENTION_DAYS count; 0 days are
for ever. Nothing is removed by this command: every cluster does, see docs/configuration.md.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="preview|export")
        preview = verbs.add_parser("preview", help="how many runs of each status would go now")
        preview.add_argument("--json", action="store_true", help="one JSON object per line")
        export = verbs.add_parser("export", help="the runs that would go now as JSON Lines")
        for verb in (preview, export):
            verb.add_argument("--days", type=float, help="instead of the settings")
            verb.add_argument(
                "--status",
                action="append",
                type=_named,
                metavar="STATUS=DAYS",
                help="other days for runs that ended so",
            )

    def do_preview(self, options: dict[str, Any]) -> None:
        found = foresight.preview(_kept(options))
        if options["json"]:
            for one in found:
                self.stdout.write(_json(one))
            return
        self.stdout.write(f"{'status':16}{'kept':>10}{'runs':>12}{'old':>12}{'would go':>12}")
        for one in found:
            kept = f"{one.days:g} days" if one.days else "for ever"
            word = RunStatus(one.status).label
            self.stdout.write(f"{word:16}{kept:>10}{one.count:>12,}{one.old:>12,}{one.going:>12,}")
        self.stdout.write(_summary(found))

    def do_export(self, options: dict[str, Any]) -> None:
        now, count = timezone.now(), 0
        runs = foresight.that_go(ages.ends(_kept(options), now), now)
        for text in exporting.lines(runs):
            self.stdout.write(text, ending="")
            count += 1
        self.stderr.write(f"{count:,} runs exported.")


def _named(text: str) -> tuple[str, float]:
    status, _, days = text.partition("=")
    try:
        if status.upper() in FINAL:
            return status.upper(), float(days)
    except ValueError:
        pass
    words = ", ".join(sorted(word.lower() for word in FINAL))
    raise argparse.ArgumentTypeError(f"must be STATUS=DAYS, the status one of {words}")


def _kept(options: dict[str, Any]) -> dict[str, float]:
    """The days to look with. One that is given replaces the settings' days for all statuses."""
    named, others = options["status"], options["days"]
    if named is None and others is None:
        return keeping.in_force()
    if others is None and len(named) != len({status for status, _ in named}):
        raise InvalidOption("status", "Each --status is given once.")
    base = {} if others is not None else keeping.in_force()
    return ages.days({**base, **dict(named or [])}, others)


def _summary(found: list[Preview]) -> str:
    going, held = sum(one.going for one in found), sum(one.held for one in found)
    if not any(one.days for one in found):
        return "All runs are kept for ever (RUN_RETENTION_DAYS and STATUS_RETENTION_DAYS are 0)."
    stay = f" {held:,} old ones stay while something open refers to them." if held else ""
    return f"{going:,} runs would go now.{stay}"


def _json(one: Preview) -> str:
    oldest = one.oldest.isoformat() if one.oldest else None
    facts = {"status": one.status, "days": one.days, "runs": one.count, "old": one.old}
    return json.dumps({**facts, "would_go": one.going, "oldest_end": oldest})
