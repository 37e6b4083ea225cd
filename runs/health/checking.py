"""What is looked at, as messages of Django's checks."""

from django.core.checks import CheckMessage, Warning  # noqa: A004  Django's word

from runs.health.all import SERVER
from runs.health.points import WARN, at_least, looked

#: Numbers stay: people silence checks by them.
NUMBERS = {
    "commits": 101,
    "sqlite": 102,
    "snapshot": 103,
    "bloat": 104,
    "connections": 105,
    "transactions": 106,
    "disk": 107,
    "database": 108,
}


def messages() -> list[CheckMessage]:
    """Of the server. None is an error: that would keep `migrate` from running."""
    return [
        Warning(
            f"{point.name}: {point.text}", hint=point.todo, id=f"trackside.W{NUMBERS[point.key]}"
        )
        for point in at_least(WARN, looked(SERVER))
    ]
