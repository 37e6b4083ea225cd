"""Lines of runs that are written to the output of the cluster too."""

import logging
import sys
from contextlib import suppress

from engine.sdk.context import current
from runs.logformat import json_line


def aloud(level: int, logger: str, text: str) -> None:
    """Write a line: with its run and task, or as JSON where the log is."""
    ctx, output, name = current(), sys.__stdout__, logging.getLevelName(level)
    whose = f"{ctx.run.id} ({ctx.task.id})" if ctx else "-"
    line = json_line(text, name, logger) or f"{whose} {name} {logger}: {text}"
    with suppress(OSError, ValueError, AttributeError):  # nobody may be there to read it
        output.write(f"{line}\n")  # type: ignore[union-attr]
        output.flush()  # type: ignore[union-attr]
