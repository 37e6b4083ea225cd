"""Spans: what a run spends its time on, seen on its Trace tab and in an OpenTelemetry collector."""

import random
import time
from functools import partial
from typing import Any

from engine import Context, logger, retry, span, step, task, usage

CITIES = ("Lisbon", "Oslo", "Quito", "Hanoi")


@task
def forecast(city: str) -> int:
    """One city's temperature. Its run is part of the trace of the run that asked for it."""
    with span("measure", city=city):
        time.sleep(0.05)
        return random.randint(-5, 35)


@span("load", source="archive")
def load(city: str) -> list[int]:
    """A function that is a span whenever it is called."""
    time.sleep(0.03)
    return [random.randint(-5, 35) for _ in range(12)]


def shaky(attempt: int) -> str:
    """Fails the first time: each try has a span of its own."""
    if attempt == 1:
        raise ConnectionError("The archive hung up.")
    return "opened"


@task
def climate(payload: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Spans in spans, a step, tries, child runs and a failure that is caught."""
    retry.on_throw(shaky, max_attempts=3, min_timeout=0.05, max_timeout=0.1)
    averages = {}
    with logger.trace("averages", icon="Ø", cities=len(CITIES)) as all_of_them:
        for city in payload.get("cities", CITIES):
            with logger.trace(f"average of {city}") as one:
                loaded = usage.measure(partial(load, city))
                averages[city] = sum(loaded.result) / len(loaded.result)
                one.set_attribute("rows", len(loaded.result))
                one.add_event("loaded", ms=loaded.compute.duration_ms)
                logger.info("averaged", city=city)  # the line knows the span it is in
        all_of_them.set_attribute("warmest", max(averages, key=averages.__getitem__))
    try:
        with span("publish"):
            raise PermissionError("The archive is read-only.")
    except PermissionError:
        logger.warning("Not published; the span says why.")
    written = step("write", len, averages)
    today = forecast.batch_trigger_and_wait([{"payload": city} for city in averages]).unwrap()
    return {"written": written, "today": today, "trace": ctx.traceparent}
