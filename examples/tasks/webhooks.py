"""Tasks that other services trigger by a signed request."""

from typing import Any

from engine import Context, logger, task, webhook


@task(
    id="github-push",
    webhook=webhook.github("github/pushes", secret="GITHUB_WEBHOOK_SECRET"),
    concurrency_key="$.repository.full_name",
    queue={"concurrency_limit": 1},
)
def github_push(payload: dict[str, Any], ctx: Context) -> str:
    """Look at what was pushed to a repository, one push after the other for each of them."""
    event = ctx.webhook.headers.get("x-github-event", "") if ctx.webhook else "push"
    if event != "push":
        return f"nothing to do for “{event}”"
    commits = payload.get("commits") or []
    logger.info("pushed", ref=payload.get("ref"), commits=len(commits))
    return f"{len(commits)} commits on {payload.get('ref')}"


@task(
    id="shop-order",
    webhook=webhook(
        "shop/orders",
        secret="SHOP_WEBHOOK_SECRET",
        header="X-Shop-Signature",
        signed="{timestamp}.{body}",
        timestamp="X-Shop-Timestamp",
        delivery="$.order",
    ),
)
def shop_order(payload: dict[str, Any]) -> str:
    """Take an order of a shop with a signature of its own; an order that comes twice is one run."""
    return f"order {payload.get('order')} taken"
