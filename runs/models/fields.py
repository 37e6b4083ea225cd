"""Column types both databases sort and store alike."""

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

if TYPE_CHECKING:
    TextColumn = models.CharField[Any, Any]
else:
    TextColumn = models.CharField


class IdField(TextColumn):
    """An id from `runs.ids`, compared byte by byte, so that id order is time order everywhere."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 64)
        super().__init__(*args, **kwargs)

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        parameters = super().db_parameters(connection)
        parameters["collation"] = "C" if connection.vendor == "postgresql" else "BINARY"
        return parameters

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        """Spelled out, because Django gives a "varchar" key a second index for LIKE, which no id needs."""
        kind: str | None = super().db_type(connection)
        if connection.vendor == "postgresql" and kind is not None:
            return kind.replace("varchar", "character varying")
        return kind
