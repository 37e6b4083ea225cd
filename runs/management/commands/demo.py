"""`manage.py demo`: made-up history to look at, in any size, and its removal."""

import argparse
import time
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from runs import conf
from runs.demo import clearing, scenery
from runs.demo.cast import IDS
from runs.demo.making import Demo, Wish
from runs.lifecycle import audit
from runs.management.terminal import actor, line
from runs.models import Run

MOST_RUNS = 20_000_000
MOST_DAYS = 3650
EXAMPLES = """examples:
  python manage.py demo                      600 runs of a made-up web shop over the last 14 days
  python manage.py demo --runs 1000000 --days 90
  python manage.py demo --with-executing 8   and some that look as if they executed now
  python manage.py demo --clear              remove all of it

Nothing of it is executed: what is queued stands in a paused queue, what is delayed comes up tomorrow
at the earliest, schedules are switched off. --with-queued and --with-schedules make what clusters act on.
"""


class Command(BaseCommand):
    help = (
        "Fill the database with the made-up history of a web shop, to look around and to measure."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Keep the line ends of the examples."""
        shape = argparse.RawDescriptionHelpFormatter
        return super().create_parser(
            prog_name, subcommand, formatter_class=shape, epilog=EXAMPLES, **kwargs
        )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--runs", type=_whole(1, MOST_RUNS), default=600, help="about how many (600)")
        add("--days", type=float, default=14.0, help="how far back they go (14)")
        add("--seed", type=int, default=7, help="another number makes another history (7)")
        add("--clear", action="store_true", help="remove what this command made, and stop")
        add("--yes", action="store_true", help="also where the environment is production")
        some = _whole(0, 10_000)
        text = "so many that a worker would start"
        add("--with-queued", type=some, nargs="?", const=25, default=0, metavar="N", help=text)
        text = "so many that look executing, on clusters that look alive for 12 hours"
        add("--with-executing", type=some, nargs="?", const=8, default=0, metavar="N", help=text)
        add("--with-schedules", action="store_true", help="switch the schedules on")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._refuse(options)
            if options["clear"]:
                self._clear()
            else:
                self._make(options)
        except DatabaseError as error:
            raise CommandError(
                f"The database cannot be used ({line(error, 200)}). "
                "Is DATABASE_URL right, and was “manage.py migrate” run?"
            ) from error
        except KeyboardInterrupt:
            self.stderr.write("\nStopped. What was stored is whole; --clear removes it.")
            raise SystemExit(130) from None

    def _refuse(self, options: dict[str, Any]) -> None:
        if conf.get("ENVIRONMENT")["kind"] == "prod" and not options["yes"]:
            raise CommandError("This environment is production. --yes does it all the same.")
        if not 0 < options["days"] <= MOST_DAYS:
            raise CommandError("--days is more than 0 and at most 3650.")
        taken = scenery.names_taken()
        if taken:
            raise CommandError(
                f"There are tasks called {', '.join(taken)} that this command did not make."
                " It leaves them and their runs alone, and so does nothing."
            )

    def _make(self, options: dict[str, Any]) -> None:
        wish = Wish(**{name: options[name] for name in Wish.__dataclass_fields__})
        audit.record(actor(), "demo.make", "shop", runs=wish.runs, days=wish.days)
        begun = time.monotonic()
        made = self._count(Demo(wish).make(), wish.runs, "runs")
        clearing.settle()
        lasted = time.monotonic() - begun
        self.stdout.write(
            f"{made:,} runs over {wish.days:g} days in {lasted:,.1f} s."
            " “manage.py up” shows them; “manage.py demo --clear” removes them."
        )

    def _clear(self) -> None:
        total = Run.objects.filter(task_id__in=IDS).count()
        audit.record(actor(), "demo.clear", "shop", runs=total)
        gone = self._count(clearing.clear(), total, "runs removed")
        self.stdout.write(f"{gone:,} runs removed. The audit log keeps what it has.")

    def _count(self, steps: Iterator[int], total: int, what: str) -> int:
        """Go through the steps, and tell how far it is and how long it will take."""
        done, begun, told = 0, time.monotonic(), 0.0
        for count in steps:
            done += count
            passed = time.monotonic() - begun
            if passed - told < 0.5:
                continue
            told, rate = passed, done / passed
            left = max(0, total - done) / rate if rate else 0
            share = min(100, 100 * done // max(total, 1))
            text = (
                f"{done:,} of about {total:,} {what} ({share} %), {rate:,.0f}/s, {left:,.0f} s left"
            )
            self.stderr.write(f"\r{text:<78}", ending="")
            self.stderr.flush()
        if told:
            self.stderr.write("")
        return done


def _whole(least: int, most: int) -> Any:
    def number(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"must be {least:,} to {most:,}")
        return value

    return number
