"""The command itself: where the server is, and how errors become exit codes."""

import os
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

import click

from trackside.client import Client
from trackside.errors import RunFailed, TracksideError
from trackside.shell import (
    batches,
    bulk,
    envvars,
    queues,
    runs,
    schedules,
    streams,
    tokens,
    upkeep,
)
from trackside.shell.showing import Shown

EPILOG = """\b
Environment: TRACKSIDE_URL and TRACKSIDE_KEY name the server and an API key.
Exit codes: 0 done, 1 refused, 2 wrong arguments, 3 the run that was waited for
ended without success, 130 interrupted.
"""
UNSUCCESSFUL, INTERRUPTED = 3, 130


def installed() -> str:
    """The version of the distribution this came with."""
    for name in ("trackside-client", "trackside"):
        with suppress(PackageNotFoundError):
            return version(name)
    return "unknown"


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
)
@click.option("--url", metavar="URL", help="Address of the server, instead of TRACKSIDE_URL.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@click.option(
    "--timeout", type=float, default=30.0, show_default=True, help="Seconds a request may take."
)
@click.version_option(installed(), prog_name="trackside")
@click.pass_context
def trackside(context: click.Context, url: str | None, as_json: bool, timeout: float) -> None:
    """Trigger, watch and change runs of a Trackside server."""
    context.obj = Shown(lambda: context.with_resource(Client(url, timeout=timeout)), as_json)


for group in (
    runs.runs,
    batches.batch,
    bulk.bulk,
    upkeep.tasks,
    upkeep.apikey,
    streams.streams,
    schedules.schedules,
    queues.queues,
    tokens.tokens,
    envvars.envvars,
):
    trackside.add_command(group)
trackside.add_command(runs.trigger)
trackside.add_command(runs.forget_key)


def main() -> None:
    """Run the command, and exit."""
    try:
        sys.exit(run(sys.argv[1:]))
    except BrokenPipeError:
        # whoever read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def run(words: list[str]) -> int:
    """The exit code of `trackside words…`; what went wrong is one line on stderr."""
    try:
        trackside.main(words, prog_name="trackside", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except TracksideError as error:
        click.echo(f"Error: {error}", err=True)
        return UNSUCCESSFUL if isinstance(error, RunFailed) else 1
    return 0
