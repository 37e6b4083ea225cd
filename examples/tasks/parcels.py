"""Runs that mostly wait for others share one process: start fifty at once and look at Workers."""

import asyncio
import random

from engine import logger, queue, task

carrier = queue("carrier", concurrency_limit=20)  # the carrier allows so many connections


@task(id="watch-parcel", queue=carrier, max_duration="1m")
async def watch_parcel(payload: dict[str, str]) -> str:
    """Ask a carrier about one parcel until it is delivered (simulated)."""
    number = payload.get("number", "p_1")
    for question in range(1, 6):
        state = await ask_carrier(number, question)
        logger.info("asked the carrier", parcel=number, state=state)
        if state == "delivered":
            break
    return f"{number} is {state}"


@task(id="watch-parcels")
async def watch_parcels(payload: dict[str, int]) -> int:
    """Watch many parcels, each in a run of its own."""
    numbers = [f"p_{number}" for number in range(payload.get("parcels", 50))]
    watch_parcel.batch_trigger([{"payload": {"number": number}} for number in numbers])
    return len(numbers)


async def ask_carrier(number: str, question: int) -> str:
    await asyncio.sleep(random.uniform(0.2, 0.6))
    return "delivered" if question > 3 else "on its way"
