"""A body that another service triggers."""

import time

from _notes import noted  # type: ignore[import-not-found]

from engine import retry, task, usage, webhook


@task(
    id="delivered",
    webhook=webhook.github("tests/pushes", secret="TEST_WEBHOOK_SECRET"),
    retry=retry(max_attempts=2, min_timeout=0, max_timeout=0),
)
def delivered(payload, ctx):
    """Fails the first time: the delivery is not sent again for that."""
    with noted():
        time.sleep(0.1)
        if ctx.attempt.number == 1:
            raise RuntimeError("not yet")
    used = usage.get_current().compute
    return {
        "ref": payload["ref"],
        "event": ctx.webhook.headers["x-github-event"],
        "attempt_ms": used.attempt.duration_ms,
        "total_ms": used.total.duration_ms,
    }
