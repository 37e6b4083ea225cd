"""Who somebody is and what they may, in fewer questions than as shipped: each page asks."""

from functools import cache
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission
from django.db import connection


class Backend(ModelBackend):
    """Django's own; permissions of a person and of their groups are one question."""

    def get_user(self, user_id: Any) -> Any:
        """Who has logged in, by a statement that stands ready."""
        model = get_user_model()
        with connection.cursor() as cursor:
            cursor.execute(_by_key(), [user_id])
            row = cursor.fetchone()
        if row is None:
            return None
        values = list(row)
        for place, convert, column in _converters():
            values[place] = convert(values[place], column, connection)
        names = [field.attname for field in model._meta.concrete_fields]
        user = model.from_db(connection.alias, names, values)
        return user if self.user_can_authenticate(user) else None

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


@cache
def _by_key() -> str:
    model = get_user_model()._meta
    key, *columns = map(_quoted, (model.pk, *model.concrete_fields))
    return f"SELECT {', '.join(columns)} FROM {connection.ops.quote_name(model.db_table)} WHERE {key} = %s"  # noqa: S608


def _quoted(field: Any) -> str:
    return connection.ops.quote_name(field.column)


@cache
def _converters() -> list[tuple[int, Any, Any]]:
    """What the database returns otherwise than the model has it, by place."""
    model = get_user_model()._meta
    columns: list[Any] = [field.get_col(model.db_table) for field in model.concrete_fields]
    return [
        (place, convert, column)
        for place, column in enumerate(columns)
        for convert in (
            *connection.ops.get_db_converters(column),
            *column.get_db_converters(connection),
        )
    ]
