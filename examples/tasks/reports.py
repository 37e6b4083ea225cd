"""Tasks that run by the clock: one declared here, one with a schedule for each customer."""

from engine import ScheduledPayload, logger, schedule, schedules, task


@task(
    id="nightly-cleanup",
    schedule=schedule("30 2 * * *", timezone="Europe/Zurich", overlap="skip", catch_up="latest"),
)
def nightly_cleanup(payload: ScheduledPayload) -> str:
    """Clean up every night at half past two in Zurich, also when the clocks change."""
    before = payload.last_timestamp.isoformat() if payload.last_timestamp else "never"
    logger.info("cleaning up", last_time=before, next_time=payload.upcoming[0].isoformat())
    return f"cleaned up for {payload.local_timestamp:%A, %d %B}"


@schedules.task(id="customer-report")
def customer_report(payload: ScheduledPayload) -> str:
    """Report to the customer a schedule was made for; run `sign-up` to make one."""
    return f"report for {payload.external_id} of {payload.local_timestamp:%d %B %Y %H:%M %Z}"


@task(id="sign-up")
def sign_up(payload: dict[str, str]) -> str:
    """Give a new customer a report every morning at eight, in their own time zone."""
    customer = payload.get("customer", "c_1")
    made = schedules.create(
        task=customer_report,
        cron="0 8 * * *",
        timezone=payload.get("timezone", "America/New_York"),
        external_id=customer,
        deduplication_key=f"{customer}-report",
    )
    return f"{made.id} reports first at {made.next_run}"
