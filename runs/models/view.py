from typing import ClassVar, Self

from django.db import models
from django.db.models import Q


class SavedViewQuerySet(models.QuerySet["SavedView"]):
    def seen_by(self, owner: str) -> Self:
        """Those of `owner` and what others share, by name."""
        return self.filter(Q(owner=owner) | Q(is_shared=True)).order_by("name", "pk")


class SavedView(models.Model):
    """A search of runs under a name: the address of the list without what is before its `?`."""

    name = models.CharField(max_length=80)
    #: "user:<name>".
    owner = models.CharField(max_length=200)
    is_shared = models.BooleanField(default=False)
    query = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[SavedViewQuerySet] = SavedViewQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="view_one_of_name"),
        ]
        indexes = [
            models.Index(fields=["name"], name="view_shared", condition=Q(is_shared=True)),
        ]

    def __str__(self) -> str:
        return self.name


class ViewDefault(models.Model):
    """The view a person's list of runs begins with."""

    owner = models.CharField(max_length=200, primary_key=True)
    view = models.ForeignKey(SavedView, on_delete=models.CASCADE)

    def __str__(self) -> str:
        return self.owner
