"""What pages ask of the database, and where there is something to see."""

from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Count
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from benchmarks.inside import history
from runs.models import Batch, ErrorGroup, LogLine, Run, Schedule
from runs.states import RunStatus


def places() -> dict[str, str]:
    """What stands for the places in addresses."""
    failed = Run.objects.filter(status=RunStatus.FAILED, attempt_number__gt=1).order_by("-id")
    detailed = LogLine.objects.filter(run_id__in=failed.values("pk")[:50]).order_by("-id").first()
    lines = LogLine.objects.values("run_id").annotate(count=Count("pk")).order_by("-count")
    return {
        "run": detailed.run_id if detailed else failed[0].pk,
        "long_run": lines[0]["run_id"],
        "task": "shop/sync-customer",
        "queue": "task/shop/sync-customer",
        "error": ErrorGroup.objects.order_by("-total")[0].pk,
        "schedule": Schedule.objects.order_by("pk")[0].pk,
        "batch": Batch.objects.order_by("-pk")[0].pk,
    }


def login() -> dict[str, str]:
    return history.login()


def queries(addresses: list[str]) -> dict[str, list[str]]:
    """The statements each address asks, once everything that is remembered is."""
    client, found = client_of_bench(), {}
    for address in addresses:
        client.get(address, headers=HTMX if is_part(address) else {})
        with CaptureQueriesContext(connection) as asked:
            client.get(address, headers=HTMX if is_part(address) else {})
        found[address] = [one["sql"][:2000] for one in asked.captured_queries]
    return found


HTMX = {"HX-Request": "true"}


def is_part(address: str) -> bool:
    """Whether a page asks for it by itself."""
    return address.startswith(("/runs/counts", "/runs/live"))


def client_of_bench() -> Client:
    user, _ = get_user_model().objects.get_or_create(
        username="bench", defaults={"is_staff": True, "is_superuser": True}
    )
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    return client


def touch(ids: list[str]) -> int:
    """Make runs look changed."""
    return Run.objects.filter(pk__in=ids).update(updated_at=timezone.now())


def open_runs(count: int) -> list[Any]:
    """Runs that can be canceled."""
    return list(Run.objects.filter(status=RunStatus.QUEUED).values_list("pk", flat=True)[:count])
