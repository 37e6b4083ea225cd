"""A body that takes days and holds no process meanwhile: steps, waits and awaited runs."""

from pydantic import BaseModel

from engine import logger, step, task, wait


class Parcel(BaseModel):
    """What one warehouse sends."""

    warehouse: str
    weight: float


class Order(BaseModel):
    """An order with what each warehouse sends of it."""

    number: str
    parcels: list[Parcel]
    #: How long the customer may take back what he ordered.
    days_to_return: float = 14


@task(id="send-parcel", queue={"name": "warehouse", "concurrency_limit": 2})
def send_parcel(payload: Parcel) -> str:
    """Hand one parcel to the carrier (simulated)."""
    if payload.weight > 30:
        raise ValueError(f"{payload.weight:g} kg is too heavy for a parcel")
    return f"{payload.warehouse[:2].upper()}-{round(payload.weight * 1000)}"


def charge(order: str, key: str) -> str:
    """Stands for a payment service that does nothing twice for the same key."""
    logger.info("charging", order=order, key=key)
    return f"payment of {order}"


@task(id="fulfil-order")
def fulfil_order(payload: Order) -> dict[str, object]:
    """Charge, send all parcels at once, and close the order when nothing may come back any more."""
    payment = step("charge", lambda: charge(payload.number, step.idempotency_key))
    sent = send_parcel.batch_trigger_and_wait([{"payload": parcel} for parcel in payload.parcels])
    missing = [run.error and run.error.message for run in sent.runs if not run.ok]
    if missing:
        logger.warning("some parcels are missing", problems=missing)
    wait(days=payload.days_to_return)
    return {
        "payment": payment,
        "tracking": [run.output for run in sent.runs if run.ok],
        "missing": missing,
    }
