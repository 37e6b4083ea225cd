"""Who somebody is and what they may, in fewer questions than as shipped: each page asks."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission


class Backend(ModelBackend):
    """Django's own; permissions of a person and of their groups are one question."""

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """As `app.codename`, remembered with the person."""
        if not user_obj.is_active or user_obj.is_superuser or obj is not None:
            return super().get_all_permissions(user_obj, obj)
        if not hasattr(user_obj, "_perm_cache"):
            names = ("content_type__app_label", "codename")
            own = Permission.objects.filter(user=user_obj).order_by().values_list(*names)
            shared = Permission.objects.filter(group__user=user_obj).order_by().values_list(*names)
            user_obj._perm_cache = {f"{app}.{codename}" for app, codename in own.union(shared)}
        found: set[str] = user_obj._perm_cache
        return found
