"""Tasks of our own: what Trackside does by runs, which are kept, tried again and seen as any other."""

from typing import Any

from engine import Context, queue, retry, task
from runs.lifecycle import alerts
from runs.models import AlertDelivery, DeliveryStatus

ATTEMPTS = 6


@task(
    id=alerts.TASK,
    queue=queue(name=alerts.QUEUE, concurrency_limit=4),
    retry=retry(max_attempts=ATTEMPTS, factor=4, min_timeout=5, max_timeout=900),
    max_duration=60,
)
def alert(payload: Any, ctx: Context) -> str:
    """Deliver an alert to its channel."""
    return deliver(payload, ctx)


def deliver(payload: Any, ctx: Context) -> str:
    # 20 MB in each worker, which most never need
    from engine.alerts import sending  # noqa: PLC0415

    found = AlertDelivery.objects.select_related("channel", "rule").filter(pk=payload["delivery"])
    delivery = found.first()
    if delivery is None or delivery.status == DeliveryStatus.SENT:
        return "nothing to do"
    try:
        answer = sending.send(delivery, alerts.secrets(delivery.channel))
    except Exception as error:
        is_last = ctx.attempt.number >= ATTEMPTS
        status = DeliveryStatus.FAILED if is_last else DeliveryStatus.PENDING
        alerts.note(delivery, status, str(error) or type(error).__name__)
        raise
    alerts.note(delivery, DeliveryStatus.SENT, answer)
    return answer
