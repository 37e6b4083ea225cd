"""Django's admin: queues with their verbs, the rest to look at. No list here ever counts rows."""

from typing import Any

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from runs import lifecycle
from runs.errors import RunsError
from runs.lifecycle import audit
from runs.models import ApiKey, AuditLog, Queue, Run, Schedule, Task, WorkerSession

PAGES = 100


class UncountedPaginator(Paginator):  # type: ignore[type-arg]
    """Pages without COUNT: as many as it offers, the last ones may be empty."""

    @cached_property
    def count(self) -> int:
        return self.per_page * PAGES


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows only the domain writes."""

    show_full_result_count = False
    paginator = UncountedPaginator
    list_per_page = 50
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Queue)
class QueueAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Pause, resume and override through the domain's verbs, so that the audit log knows."""

    list_display = ("name", "kind", "limit", "total", "rate", "is_overridden", "paused")
    list_filter = ("paused", "kind")
    search_fields = ("name",)
    show_full_result_count = False
    actions = ("pause", "resume", "reset_limit")
    fields = (
        "name", "kind", "concurrency_limit", "total_limit", "rate_limit", "override_limit",
        "override_total", "override_rate", "override_reason", "override_expires_at", "overridden_by", "overridden_at", "paused", "paused_reason",
        "paused_by", "paused_at",
    )  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Queue | None = None) -> list[str]:
        seen = [
            "overridden_by",
            "overridden_at",
            "paused",
            "paused_by",
            "paused_at",
            "paused_reason",
        ]
        return [*seen, "name", "kind"] if obj else [*seen, *_OVERRIDE]

    def has_delete_permission(self, request: HttpRequest, obj: Queue | None = None) -> bool:
        # runs name their queue: it may be paused, not removed
        return False

    def save_model(self, request: HttpRequest, obj: Queue, form: Any, change: bool) -> None:
        if not change:
            obj.settle_rate()
            obj.save()
            audit.record(_actor(request), "queue.create", obj.name)
            return
        try:
            self._apply(request, obj, set(form.changed_data))
        except RunsError as error:
            messages.error(request, str(error))

    @admin.action(description="Pause", permissions=["change"])
    def pause(self, request: HttpRequest, queues: QuerySet[Queue]) -> None:
        self._each(request, queues, lambda name: lifecycle.pause(name, actor=_actor(request)))

    @admin.action(description="Resume", permissions=["change"])
    def resume(self, request: HttpRequest, queues: QuerySet[Queue]) -> None:
        self._each(request, queues, lambda name: lifecycle.resume(name, actor=_actor(request)))

    @admin.action(description="Remove the override of the limits", permissions=["change"])
    def reset_limit(self, request: HttpRequest, queues: QuerySet[Queue]) -> None:
        overridden = queues.filter(overridden_at__isnull=False)
        reset = lifecycle.reset_limit
        self._each(request, overridden, lambda name: reset(name, actor=_actor(request)))

    def _each(self, request: HttpRequest, queues: QuerySet[Queue], verb: Any) -> None:
        names = list(queues.values_list("name", flat=True))
        for name in names:
            verb(name)
        messages.success(request, f"Done for {len(names)} queues.")

    def _apply(self, request: HttpRequest, queue: Queue, changed: set[str]) -> None:
        if changed & _OVERRIDE:
            self._override(request, queue)
        if changed & _LIMITS:
            lifecycle.set_limits(
                queue.name,
                concurrency_limit=queue.concurrency_limit,
                total_limit=queue.total_limit,
                rate_limit=queue.rate_limit,
                actor=_actor(request),
            )

    def _override(self, request: HttpRequest, queue: Queue) -> None:
        limits = lifecycle.Limits(queue.override_limit, queue.override_total, queue.override_rate)
        if not limits.facts:
            lifecycle.reset_limit(queue.name, actor=_actor(request))
            return
        lifecycle.override_limits(
            queue.name,
            limits,
            actor=_actor(request),
            reason=queue.override_reason,
            expires_at=queue.override_expires_at,
        )


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    """The stored row, for support; the pages show more, and payloads to those who may see them."""

    exclude = ("payload", "output", "metadata", "seed_metadata", "error", "done_token")

    list_display = ("id", "task_id", "status", "queue", "created_at", "finished_at")
    search_fields = ("=id", "=task_id")
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        return Run.objects.light().defer("error")


@admin.register(Task)
class TaskAdmin(ReadOnlyAdmin):
    list_display = ("id", "queue", "version", "broken", "active", "registered_at")
    list_filter = ("broken", "active")
    search_fields = ("id",)


@admin.register(Schedule)
class ScheduleAdmin(ReadOnlyAdmin):
    """To look at; the dashboard's page changes them and shows what they would do."""

    list_display = ("task_id", "cron", "timezone", "type", "active", "next_at", "external_id")
    list_filter = ("active", "type")
    search_fields = ("=id", "=task_id", "=external_id", "=deduplication_key")
    ordering = ("-id",)


@admin.register(WorkerSession)
class WorkerSessionAdmin(ReadOnlyAdmin):
    list_display = ("host", "cluster", "state", "slots", "version", "heartbeat_at")
    list_filter = ("state",)


@admin.register(AuditLog)
class AuditLogAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor", "action", "target", "reason")
    search_fields = ("=actor", "=action", "=target")


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Whose key is for what; the Settings page makes and revokes them."""

    list_display = (
        "name",
        "prefix",
        "role",
        "payloads",
        "created_by",
        "last_used_at",
        "revoked_at",
    )
    list_filter = ("role",)
    search_fields = ("name", "=prefix")
    exclude = ("key_hash", "secret")


_OVERRIDE = {
    "override_limit", "override_total", "override_rate", "override_reason", "override_expires_at",
}  # fmt: skip
_LIMITS = {"concurrency_limit", "total_limit", "rate_limit"}


def _actor(request: HttpRequest) -> str:
    return f"user:{request.user.get_username()}"
