from typing import ClassVar

from django.db import models

from runs.models.fields import IdField


class FinalHooks(models.Model):
    """A run ended where nobody could call its final hooks; a worker still has to.

    Written by a trigger in the transaction of the ending, and only for tasks that have such hooks.
    Whoever takes the row moves `due_at` into the future: if it dies, the row is due again.
    """

    run_id = IdField(primary_key=True, max_length=30)
    due_at = models.DateTimeField(db_index=True)
    #: How often somebody took it.
    tries = models.IntegerField(default=0)
    #: Fences the answer of whoever took it last.
    token = models.CharField(max_length=36, default="")

    objects: ClassVar[models.Manager["FinalHooks"]] = models.Manager()

    def __str__(self) -> str:
        return str(self.run_id)
