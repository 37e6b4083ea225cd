"""Changing one's mind about runs that wait: put off, hurried up, called off."""

from engine import Context, IdempotencyKey, idempotency_keys, queue, runs, task

newsletter = queue("newsletter", concurrency_limit=2)
READERS = ("ann", "bob", "cleo", "dan")


def key_of(issue: str, reader: str) -> IdempotencyKey:
    """The same in every run, so that planning an issue twice mails it once."""
    return idempotency_keys.create([issue, reader], scope="global")


@task(id="mail-newsletter", queue=newsletter)
def mail_newsletter(payload: str, ctx: Context) -> str:
    """One mail; an issue reaches each reader once."""
    return f"{payload} sent with priority {ctx.run.priority:.0f}"


@task(id="plan-newsletter")
def plan_newsletter(payload: str = "spring") -> list[str]:
    """Mails for tomorrow; then the first is hurried up, and the second gets another text."""
    sent = [
        mail_newsletter.trigger(
            f"{payload} issue to {reader}",
            delay="1d",
            tags=f"issue:{payload}",
            idempotency_key=key_of(payload, reader),
        )
        for reader in READERS
    ]
    if not sent[0].is_cached:  # planned anew: none of them has started
        runs.edit(sent[0], priority=3600, delay=None, reason="she asked for it")
        runs.edit(sent[1], payload=f"{payload} issue, corrected, to {READERS[1]}")
    return [one.id for one in sent]


@task(id="call-off-newsletter")
def call_off_newsletter(payload: str = "spring") -> int:
    """What was not sent yet is canceled; the keys are freed, so that it can be planned anew."""
    count = runs.purge(tag=f"issue:{payload}", reason=f"The {payload} issue was called off.")
    for reader in READERS:
        idempotency_keys.reset(mail_newsletter, key_of(payload, reader))
    return count
