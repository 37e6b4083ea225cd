"""The audit log, newest first."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from runs.models import AuditLog

#: Rows read at once for a file.
STEP = 1000


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries. Empty means any."""

    actor: str = ""
    #: A verb as "run.cancel", or all of a noun as "run.".
    action: str = ""
    target: str = ""
    #: In the reason.
    text: str = ""
    start: datetime | None = None

    def entries(self) -> QuerySet[AuditLog]:
        """Those that match, newest first."""
        found = AuditLog.objects.order_by("-id")
        if self.actor:
            names = [self.actor, *(f"{kind}:{self.actor}" for kind in ("user", "key", "cli"))]
            found = found.filter(actor__in=names)
        if self.action.endswith("."):
            found = found.filter(action__startswith=self.action)
        elif self.action:
            found = found.filter(action=self.action)
        if self.target:
            found = found.filter(target=self.target)
        if self.text:
            found = found.filter(reason__icontains=self.text)
        return found.filter(at__gte=self.start) if self.start is not None else found

    def all(self) -> Iterator[AuditLog]:
        """Every one of them, in steps: no file is too long for memory, no read for the database."""
        last: int | None = None
        while some := list(self._below(last)[:STEP]):
            yield from some
            last = some[-1].pk

    def _below(self, last: int | None) -> QuerySet[AuditLog]:
        found = self.entries()
        return found if last is None else found.filter(pk__lt=last)
