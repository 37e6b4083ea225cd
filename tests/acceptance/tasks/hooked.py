"""Bodies with final hooks, which note that they were called."""

import time
from pathlib import Path

from _notes import note, noted  # type: ignore[import-not-found]

from engine import retry, task

ONCE = retry(max_attempts=1)


@task(id="concluded", retry=ONCE)
def concluded(payload):
    """Runs until its file exists."""
    with noted():
        while not Path(payload["until"]).exists():
            time.sleep(0.01)


@concluded.on_failure
def failed(error):
    note("on_failure", said=str(error), status=getattr(error, "status", ""))


@concluded.on_cancel
def canceled(run):
    note("on_cancel", ok=run.ok, said=str(run.error))


@concluded.on_complete
def completed(result):
    note("on_complete", ok=result.ok)


@task(id="slow-to-cancel", retry=ONCE)
def slow_to_cancel(payload):
    """Stops at once when it is canceled; its hook takes as long as the payload says."""
    with noted():
        while True:
            time.sleep(0.01)


@slow_to_cancel.on_cancel
def tidied(payload, run):
    note("on_cancel begins", said=type(run.error).__name__)
    time.sleep(payload["seconds"])
    note("on_cancel")
