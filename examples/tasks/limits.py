"""How often runs start, how many at once, and what a trigger does while one is open."""

import time
from typing import NotRequired

from typing_extensions import TypedDict

from engine import Context, RateLimit, logger, queue, task

# A service that allows each of our accounts 60 calls in a minute, and 5 connections to all of them.
weather_service = queue(
    "weather-service",
    rate_limit=RateLimit(60, per="1m", burst=3),
    total_limit=5,
)


class Place(TypedDict):
    """Where, and in whose name."""

    account: str
    city: str


class Shop(TypedDict):
    """A shop by its number, and how long its work takes."""

    shop: int
    seconds: NotRequired[float]


@task(id="ask-weather", queue=weather_service, concurrency_key="$.account")
def ask_weather(payload: Place) -> str:
    """One call of the service: three of an account at once, from then on one a second."""
    time.sleep(0.2)
    return f"{payload['city']}: sunny"


@task(id="ask-weather-everywhere")
def ask_weather_everywhere() -> int:
    """Ten calls for each of two accounts; the queue's page shows how they are spaced."""
    places: list[Place] = [
        {"account": account, "city": f"City {number}"}
        for account in ("anna", "ben")
        for number in range(10)
    ]
    return len(ask_weather.batch_trigger([{"payload": place} for place in places]))


@task(id="import-orders", overlap="skip", concurrency_key="$.shop")
def import_orders(payload: Shop) -> str:
    """Triggered again for the same shop while it runs, it answers with the run that is open."""
    time.sleep(payload.get("seconds", 10))
    return f"orders of shop {payload['shop']} imported"


@task(id="rebuild-index", overlap="queue_one")
def rebuild_index(payload: float = 10) -> str:
    """However often it is triggered meanwhile: once more when it is done, so that nothing is missed."""
    time.sleep(payload)
    return "index rebuilt"


@task(id="render-preview", overlap="cancel_previous", concurrency_key="$.shop")
def render_preview(payload: Shop, ctx: Context) -> str:
    """Only the newest matters: a run that is still at work is stopped for it."""
    for part in range(1, 11):
        ctx.signal.raise_if_aborted()
        logger.info("rendering", shop=payload["shop"], part=part)
        time.sleep(payload.get("seconds", 10) / 10)
    return f"preview of shop {payload['shop']}"
