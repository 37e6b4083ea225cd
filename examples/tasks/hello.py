"""The smallest task, and its async twin."""

import asyncio

from engine import logger, task


@task
def hello(payload):
    """Greet somebody."""
    name = (payload or {}).get("name", "world")
    logger.info("greeting", name=name)
    return f"Hello, {name}!"


@task(id="fetch-pages", max_duration="1m")
async def fetch_pages(payload: list[str]) -> dict[str, int]:
    """Fetch many pages at once (simulated: no network is needed)."""
    sizes = await asyncio.gather(*(fetch(address) for address in payload))
    return dict(zip(payload, sizes, strict=True))


async def fetch(address: str) -> int:
    await asyncio.sleep(0.1)
    print(f"fetched {address}")
    return len(address) * 1024
