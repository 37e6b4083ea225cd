"""What pages ask of the database, and where there is something to see."""

from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Count
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from benchmarks.inside import history
from benchmarks.support import tabs
from runs.models import Batch, ErrorGroup, LogLine, Run, Schedule, Waitpoint
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
        "other": Run.objects.filter(status=RunStatus.COMPLETED).order_by("-id")[0].pk,
        "token": Waitpoint.objects.order_by("-pk")[0].pk,
    }


def age() -> dict[str, Any]:
    """How much there is, and how long ago the newest run was made."""
    newest = Run.objects.order_by("-id").values_list("created_at", flat=True)[0]
    since = (timezone.now() - newest).total_seconds()
    return {"runs": Run.objects.count(), "minutes": since / 60, "vendor": connection.vendor}


def login() -> dict[str, str]:
    return history.login()


def queries(addresses: list[str]) -> dict[str, int]:
    """How many statements each address asks, once everything that is remembered is."""
    client = client_of_bench()
    # what is remembered may be forgotten in between: the fewer of two
    return {address: min(len(asked(client, address)[0]) for _ in range(2)) for address in addresses}


def asked(client: Client, address: str) -> tuple[list[str], HttpResponse]:
    """The statements of an address that is asked for again, and its answer."""
    client.get(address, headers=tabs.headers(address))
    with CaptureQueriesContext(connection) as captured:
        response: HttpResponse = client.get(address, headers=tabs.headers(address))  # type: ignore[assignment]  # Django's own stand-in
    statements = [one["sql"] for one in captured.captured_queries]
    return [one for one in statements if not one.lstrip().startswith(FRAME)], response


#: What only stands around the questions: time limits and transactions.
FRAME = (
    "SAVEPOINT",
    "RELEASE",
    "ROLLBACK",
    "BEGIN",
    "COMMIT",
    "SET ",
    "SHOW ",
    "SELECT set_config",
    "SELECT current_setting",
    "PRAGMA",
)


def client_of_bench() -> Client:
    user, _ = get_user_model().objects.get_or_create(
        username="bench", defaults={"is_staff": True, "is_superuser": True}
    )
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    return client


def open_runs(count: int) -> list[Any]:
    """Runs that can be canceled."""
    return list(Run.objects.filter(status=RunStatus.QUEUED).values_list("pk", flat=True)[:count])
