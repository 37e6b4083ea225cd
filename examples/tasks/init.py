"""Imported before the other files here: what all tasks share."""

from engine import Context, hooks, logger


@hooks.on_failure
def report_failure(error: BaseException, ctx: Context) -> None:
    """Called for every run that fails for good, also when its process is gone."""
    logger.error("the run failed", run=ctx.run.id, error=str(error))
