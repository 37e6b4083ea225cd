"""Runs that must not overlap: one at a time for each account."""

import time

from typing_extensions import TypedDict

from engine import queue, task

one_at_a_time = queue("one-at-a-time", concurrency_limit=1)


class Posting(TypedDict):
    """An amount for an account."""

    account: str
    amount: int


@task(id="post-amount", queue=one_at_a_time, concurrency_key=lambda posting: posting["account"])
def post_amount(payload: Posting) -> str:
    """Post an amount; no other posting to the same account runs meanwhile."""
    time.sleep(1)
    return f"{payload['amount']:+} on {payload['account']}"


@task(id="post-salaries")
def post_salaries() -> list[str]:
    """Trigger a posting for each account, all or none."""
    postings: list[Posting] = [{"account": name, "amount": 100} for name in ("anna", "ben")]
    runs = post_amount.batch_trigger([{"payload": posting} for posting in postings])
    return [run.id for run in runs]
