"""A run that asks a person: the wait token's address is a page with a form, also on a phone."""

from pydantic import BaseModel

from engine import logger, task, wait


class Refund(BaseModel):
    """Money a customer wants back."""

    customer: str
    amount: float


class Decision(BaseModel):
    """What the person answers; the page makes a form of it."""

    approved: bool
    amount: float
    comment: str = ""


@task(id="refund")
def refund(payload: Refund) -> str:
    """Small refunds go through; for others somebody has a week to decide."""
    if payload.amount <= 20:
        return f"paid {payload.amount:.2f} to {payload.customer}"
    token = wait.create_token(timeout="7d", tags=["refund"], schema=Decision)
    logger.info("somebody has to decide", url=token.url)
    answer = wait.for_token(token)
    if not answer.ok:
        return f"refused for {payload.customer}: nobody decided in time"
    decision = Decision.model_validate(answer.output)
    if not decision.approved:
        return f"refused for {payload.customer}: {decision.comment or 'no reason given'}"
    return f"paid {decision.amount:.2f} to {payload.customer}"
