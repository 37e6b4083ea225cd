"""Who is in the shop: its tasks, and the queues they stand in."""

from dataclasses import dataclass
from typing import Any

PREFIX = "shop/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A task and how its runs usually go."""

    id: str
    about: str
    #: Of a hundred stories so many begin with it; 0 for what only others trigger.
    weight: int
    #: Median seconds of a try, and how far they spread (of a normal distribution's logarithm).
    seconds: float
    sigma: float = 0.5
    #: Of a hundred tries so many fail, of a hundred runs so many end in another way.
    failing: float = 2.0
    ends: dict[str, float]
    mishaps: tuple[str, ...]
    tries: int = 3
    queue: str = ""
    tags: tuple[str, ...] = ()
    machine: str = "small-1x"
    is_async: bool = False
    is_keyed: bool = False
    max_duration: float | None = None
    ttl: float | None = None
    source: str = "sdk"

    @property
    def queue_name(self) -> str:
        return self.queue or f"task/{self.id}"

    @property
    def file(self) -> str:
        return f"tasks/{self.id.removeprefix(PREFIX).partition('-')[0]}.py"


USUAL = {"CANCELED": 0.4, "CRASHED": 0.1}
PARTS = (
    Part(
        id="shop/fulfil-order", about="Charge, reserve and confirm one order.", weight=16,
        seconds=0.08, queue="shop-orders", tags=("orders",), failing=0.6, tries=1, source="api",
        ends=USUAL, mishaps=("validation",),
    ),
    Part(
        id="shop/charge-card", about="Take the money for an order.", weight=6, seconds=0.9,
        queue="shop-payments", tags=("billing",), is_keyed=True, failing=4, max_duration=30,
        ends={"TIMED_OUT": 0.6, "CANCELED": 0.3}, mishaps=("declined", "gateway", "reset"),
    ),
    Part(
        id="shop/reserve-stock", about="Put goods of an order aside.", weight=3, seconds=0.05,
        failing=1.5, ends=USUAL, mishaps=("stock", "deadlock"), tags=("orders",),
    ),
    Part(
        id="shop/send-receipt", about="Mail the receipt of an order.", weight=6, seconds=0.4,
        queue="shop-mail", failing=5, tries=5, ttl=86_400, tags=("mail",),
        ends={"EXPIRED": 0.7, "CANCELED": 0.3}, mishaps=("mailbox", "smtp", "reset"),
    ),
    Part(
        id="shop/resize-image", about="Make thumbnails of an uploaded picture.", weight=20,
        seconds=1.6, sigma=0.8, queue="shop-images", machine="medium-1x", failing=3,
        ends={"CRASHED": 1.2, "TIMED_OUT": 0.3}, mishaps=("picture", "memory"), max_duration=60,
    ),
    Part(
        id="shop/sync-customer", about="Copy a customer to the CRM.", weight=18, seconds=0.7,
        failing=9, tries=6, is_async=True, is_keyed=True, tags=("crm",), ends=USUAL,
        mishaps=("ratelimit", "gateway", "missing"), source="webhook",
    ),
    Part(
        id="shop/index-product", about="Bring the search index up to date.", weight=16,
        seconds=0.03, failing=0.5, is_async=True, ends={"CANCELED": 0.2}, mishaps=("reset",),
    ),
    Part(
        id="shop/translate-review", about="Translate a customer's review.", weight=7,
        seconds=4.0, sigma=0.6, failing=4, is_async=True, mishaps=("ratelimit", "unicode"),
        ends={"CANCELED": 1.0, "TIMED_OUT": 0.5}, max_duration=120, tags=("reviews",),
    ),
    Part(
        id="shop/refund", about="Pay money back, once somebody has agreed.", weight=2,
        seconds=0.3, tries=1, failing=3, tags=("billing", "approval"), source="dashboard",
        ends={"CANCELED": 4.0}, mishaps=("declined",),
    ),
    Part(
        id="shop/import-feed", about="Read a supplier's price list, row by row.", weight=2,
        seconds=90, sigma=0.9, queue="shop-imports", machine="large-1x", failing=12, tries=2,
        ends={"CANCELED": 3.0, "TIMED_OUT": 2.0, "SYSTEM_FAILURE": 0.7}, max_duration=1800,
        mishaps=("rows", "memory", "missing"), tags=("suppliers",),
    ),
    Part(
        id="shop/nightly-sales", about="Sum up the day.", weight=0, seconds=40, failing=4,
        ends={"TIMED_OUT": 1.0}, mishaps=("deadlock", "rows"), source="schedule", tags=("reports",),
    ),
    Part(
        id="shop/clean-sessions", about="Forget shopping carts nobody came back to.", weight=0,
        seconds=2.5, failing=1, ends=USUAL, mishaps=("deadlock",), source="schedule",
    ),
)  # fmt: skip
BY_ID = {part.id: part for part in PARTS}
IDS = tuple(BY_ID)

#: Limits of the queues with names of their own; one is paused, so that something may stand in it.
PAUSED = "shop-imports"
QUEUES: dict[str, dict[str, Any]] = {
    "shop-orders": {"concurrency_limit": 20},
    "shop-payments": {"concurrency_limit": 1, "total_limit": 8},
    "shop-mail": {"rate_limit": "600/1m burst 20"},
    "shop-images": {"concurrency_limit": 10},
    PAUSED: {"concurrency_limit": 2},
}
QUEUE_NAMES = tuple(dict.fromkeys(part.queue_name for part in PARTS))
