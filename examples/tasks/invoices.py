"""A payload with a schema: the Test page shows it, and an invalid payload makes no run."""

from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, Field

from engine import Context, logger, retry, task


class Item(BaseModel):
    """One line of an invoice."""

    title: str
    count: int = Field(default=1, ge=1)
    price: Decimal


class Invoice(BaseModel):
    """What the customer has to pay."""

    customer: str
    due: date
    items: Annotated[list[Item], Field(min_length=1)]


@task(
    id="send-invoice",
    retry=retry(max_attempts=10, factor=1.8, min_timeout=0.5, max_timeout=30),
    tags="billing",
    ttl="1d",
    concurrency_key=lambda invoice: invoice.customer,
    queue={"name": "billing", "concurrency_limit": 2},
)
def send_invoice(payload: Invoice, ctx: Context) -> dict[str, object]:
    """Add up an invoice and send it (simulated)."""
    total = sum((item.count * item.price for item in payload.items), Decimal())
    logger.info("sending", customer=payload.customer, total=str(total))
    return {"number": f"{payload.due:%Y}-{ctx.run.id[-6:]}", "total": total, "due": payload.due}
