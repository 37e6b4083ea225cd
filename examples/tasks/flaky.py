"""What happens when a task fails."""

import random

from engine import AbortTaskRunError, Context, logger, retry, task


@task(retry=retry(max_attempts=5, factor=1.5, min_timeout=0.5, max_timeout=10))
def flaky(payload, ctx: Context) -> str:
    """Fail twice out of three times, and succeed on a later attempt."""
    chance = (payload or {}).get("chance", 1 / 3)
    if random.random() > chance:
        raise ConnectionError(f"attempt {ctx.attempt.number}: the service did not answer")
    return f"worked on attempt {ctx.attempt.number}"


@task(id="unreadable-rows", retry=retry(max_attempts=1))
def unreadable_rows(payload) -> None:
    """Fail for good, with the cause of the failure attached."""
    rows = ["7;42", "8;forty"]
    for number, row in enumerate(rows, start=1):
        logger.info("reading", row=number)
        try:
            _, amount = row.split(";")
            int(amount)
        except ValueError as error:
            raise RuntimeError(f"row {number} is not readable") from error


@task(id="unknown-customer")
def unknown_customer(payload) -> None:
    """Give up at once: trying again would not help."""
    raise AbortTaskRunError("There is no such customer.")
