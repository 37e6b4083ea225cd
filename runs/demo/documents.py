"""What goes into the shop's tasks and comes out of them."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from runs.demo.cast import Part

CITIES = ("Zürich", "Kraków", "São Paulo", "Reykjavík", "東京", "Αθήνα", "Malmö", "Nairobi")
NAMES = ("Ada", "Grace", "Zoë", "Łukasz", "José", "小林", "Ngozi", "Søren")
REVIEWS = (
    "Très bon produit, livraison rapide 👍",
    "Leider zu klein. Größe 42 fällt wie 40 aus …",
    "商品はとても良いです。",
    "שירות מעולה, אזמין שוב",
    "Perfecto para regalar 🎁",
)
COUNTRIES = ("CH", "DE", "FR", "PL", "BR", "JP")
SCHEMA = {
    "type": "object",
    "title": "Order",
    "required": ["order_id", "customer", "items"],
    "properties": {
        "order_id": {"type": "string", "description": "As in the shop."},
        "customer": {"type": "string"},
        "country": {"enum": list(COUNTRIES), "default": "CH"},
        "amount": {"type": "integer", "minimum": 0, "description": "In cents."},
        "express": {"type": "boolean", "default": False},
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["sku", "count"],
                "properties": {
                    "sku": {"type": "string"},
                    "count": {"type": "integer", "minimum": 1, "default": 1},
                    "price": {"type": "number"},
                },
            },
        },
    },
}


def customer(rng: Random) -> str:
    """Few customers buy much."""
    return f"c{int(5000 * rng.random() ** 3):04}"


def payload(part: Part, who: str, rng: Random) -> dict[str, Any]:
    """What a run is given."""
    name = part.id.partition("/")[2]
    number = rng.randrange(10**6)
    order = {"order_id": f"ord_{number:06}", "customer": who, "country": rng.choice(COUNTRIES)}
    if name in MADE:
        return MADE[name](rng, number, who)
    paid = {"amount": rng.randrange(900, 90_000), "currency": "CHF"}
    if name != "fulfil-order":
        return order | paid
    return order | paid | {"items": [_item(rng) for _ in range(rng.randrange(1, 5))]}


def _item(rng: Random) -> dict[str, Any]:
    return {"sku": f"SKU-{rng.randrange(900)}", "count": rng.randrange(1, 4), "price": 19.9}


#: Of tasks that are not about orders.
MADE: dict[str, Callable[[Random, int, str], dict[str, Any]]] = {
    "translate-review": lambda rng, number, _: {
        "review": number,
        "text": rng.choice(REVIEWS),
        "to": ["en", "de"],
    },
    "sync-customer": lambda rng, _, who: {
        "id": who,
        "name": rng.choice(NAMES),
        "address": {"city": rng.choice(CITIES), "lines": ["Hauptstrasse 7", None]},
        "balance": 0.1 + 0.2,
    },
    "import-feed": lambda _, number, __: {
        "supplier": f"s{number % 12}",
        "url": f"https://feeds.example.com/{number}.csv",
    },
    "resize-image": lambda rng, _, __: {
        "path": f"uploads/{rng.getrandbits(48):012x}.jpg",
        "sizes": [320, 640, 1280],
    },
    "index-product": lambda _, number, __: {"sku": f"SKU-{number % 900}"},
}


def output(part: Part, rng: Random) -> Any:
    """What a run that went well returned."""
    name = part.id.partition("/")[2]
    if name == "translate-review":
        return {"en": "Great product, fast delivery 👍", "de": "Tolles Produkt", "tokens": 187}
    if name == "import-feed":
        return {"rows": rng.randrange(500, 90_000), "changed": rng.randrange(400), "skipped": []}
    if name == "charge-card":
        return {"payment": f"pay_{rng.getrandbits(40):010x}", "nanos": 10**18 + rng.randrange(999)}
    if name == "index-product":
        return None
    return {"ok": True, "took_ms": rng.randrange(1, 900)}


def metadata(part: Part, rng: Random, *, done: bool) -> dict[str, Any] | None:
    """What a run noted about itself; only long ones do."""
    if part.id != "shop/import-feed":
        return None
    rows = rng.randrange(500, 90_000)
    read = rows if done else rng.randrange(rows)
    return {"progress": {"rows": rows, "read": read, "percent": round(100 * read / rows, 1)}}


def text(value: Any) -> str:
    """As the engine stores documents: ASCII."""
    return json.dumps(value)


def large(rng: Random) -> dict[str, Any]:
    """More than a page wants to show at once."""
    rows = [
        {"sku": f"SKU-{n}", "names": dict(zip(("en", "ja"), ("cup", "カップ"), strict=True)),
         "price": rng.randrange(10**4) / 100, "stock": [rng.randrange(99) for _ in range(6)]}
        for n in range(9000)
    ]  # fmt: skip
    return {"supplier": "s7", "rows": rows, "total": 12345678901234567890123456789}
