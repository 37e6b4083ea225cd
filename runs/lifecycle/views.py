"""Saved views of the list of runs: searches under a name, of one person or shared."""

from django.db import transaction

from runs.errors import InvalidOption, NotFound
from runs.lifecycle import audit
from runs.models import SavedView, ViewDefault

LONGEST_NAME, LONGEST_QUERY, MOST = 80, 4000, 100


@transaction.atomic
def save_view(name: str, query: str, *, owner: str, is_shared: bool = False) -> SavedView:
    """A view of `owner`; one of that name is changed. Raises InvalidOption."""
    name = checked(name)
    if len(query) > LONGEST_QUERY or "\x00" in query:
        raise InvalidOption("query", f"A view's search has at most {LONGEST_QUERY} characters.")
    mine = SavedView.objects.filter(owner=owner)
    if not mine.filter(name=name).exists() and mine.count() >= MOST:
        raise InvalidOption("name", f"You have {MOST} views; delete one first.")
    row, _ = SavedView.objects.update_or_create(
        owner=owner, name=name, defaults={"query": query, "is_shared": is_shared}
    )
    audit.record(owner, "view.save", row.name, query=query, shared=is_shared)
    return row


@transaction.atomic
def change_view(
    number: int, *, actor: str, name: str, is_shared: bool, any_owner: bool = False
) -> SavedView:
    """Another name, or shared or not. Raises NotFound for one that is somebody else's, InvalidOption."""
    row, name = _owned(number, actor, any_owner=any_owner), checked(name)
    if SavedView.objects.filter(owner=row.owner, name=name).exclude(pk=row.pk).exists():
        raise InvalidOption("name", f"There is another view “{name}”.")
    was = row.name
    row.name, row.is_shared = name, is_shared
    row.save()
    audit.record(actor, "view.change", row.name, was=was, shared=is_shared)
    return row


@transaction.atomic
def delete_view(number: int, *, actor: str, any_owner: bool = False) -> str:
    """Its name. Raises NotFound."""
    row = _owned(number, actor, any_owner=any_owner)
    audit.record(actor, "view.delete", row.name, query=row.query, owner=row.owner)
    row.delete()
    return row.name


@transaction.atomic
def begin_with(number: int | None, *, actor: str) -> None:
    """Let `actor`'s list begin with this view, or with all runs. Raises NotFound."""
    if number is None:
        ViewDefault.objects.filter(owner=actor).delete()
        audit.record(actor, "view.default", "")
        return
    row = SavedView.objects.seen_by(actor).filter(pk=number).first()
    if row is None:
        raise NotFound("There is no such view.")
    ViewDefault.objects.update_or_create(owner=actor, defaults={"view": row})
    audit.record(actor, "view.default", row.name)


def checked(name: str) -> str:
    """Without spaces around it. Raises InvalidOption."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise InvalidOption("name", f"A view's name has 1 to {LONGEST_NAME} characters.")
    return name


def _owned(number: int, actor: str, *, any_owner: bool) -> SavedView:
    mine = SavedView.objects.filter(pk=number)
    row = (mine if any_owner else mine.filter(owner=actor)).first()
    if row is None:
        raise NotFound("There is no such view of yours.")
    return row
