from typing import Any

from django.apps import AppConfig, apps
from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_migrate, post_save


class DashboardConfig(AppConfig):
    name = "dashboard"
    verbose_name = "Trackside"

    def ready(self) -> None:
        from dashboard import checks  # noqa: F401, PLC0415  registers them
        from dashboard.people import onrecord, roles  # noqa: PLC0415  its models are there only now

        user_logged_in.connect(_begin, dispatch_uid="trackside-sessions")
        post_save.connect(onrecord.note, sender="admin.LogEntry", dispatch_uid="trackside-accounts")
        # an app without models hears of no migration
        sender = apps.get_app_config("runs")
        post_migrate.connect(roles.create, sender=sender, dispatch_uid="trackside-roles")


def _begin(request: Any = None, **_: Any) -> None:
    from dashboard.people import sessions  # noqa: PLC0415  as above

    if request is not None:
        sessions.begin(request.session)
