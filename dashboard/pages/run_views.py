"""Views of the runs list: what everybody has, and what people saved."""

from dataclasses import dataclass
from functools import cache as cache_forever

from django.core.cache import cache
from django.http import HttpRequest, QueryDict
from django.urls import reverse

from dashboard import permissions
from dashboard.pages.run_query import RunQuery
from runs.models import SavedView, ViewDefault

#: Name in the address, word, and the search behind it.
SYSTEM = {
    "all": ("All", ""),
    "failed": ("Failed today", "q=status:unsuccessful+after:00:00"),
    "running": ("Running", "q=status:running&period=all"),
    "waiting": ("Waiting", "status=WAITING&period=all"),
    "delayed": ("Delayed", "status=DELAYED&period=all"),
}
#: In the navigation; the page of views has all of them.
SHOWN = 12
REMEMBERED = 60


@dataclass(frozen=True, slots=True)
class View:
    """One of them: `id` stands in the address."""

    id: str
    name: str
    query: str
    owner: str = ""
    is_shared: bool = False
    is_default: bool = False

    @property
    def address(self) -> str:
        return f"{reverse('dashboard:runs')}?{with_view(self.query, self.id)}"

    @property
    def words(self) -> str:
        """Its search, as it stands in the box."""
        return RunQuery.parse(QueryDict(self.query)).text

    def differs(self, query: RunQuery) -> bool:
        """Whether the list shows something else than was saved."""
        return RunQuery.parse(QueryDict(self.query)).saved != query.saved


def with_view(query: str, name: str) -> str:
    """The address's search with the view it is of."""
    return f"{query}&view={name}" if query else f"view={name}"


@cache_forever
def system() -> list[View]:
    return [View(name, word, _canonical(query)) for name, (word, query) in SYSTEM.items()]


def saved(owner: str) -> list[View]:
    """What `owner` has and what others share; asked for on every page, so remembered a while."""
    known: list[View] | None = cache.get(_key(owner))
    if known is None:
        first = ViewDefault.objects.filter(owner=owner).values_list("view_id", flat=True).first()
        known = [
            View(str(row.pk), row.name, row.query, row.owner, row.is_shared, row.pk == first)
            for row in SavedView.objects.seen_by(owner)[:200]
        ]
        cache.set(_key(owner), known, REMEMBERED)
    return known


def forget(owner: str) -> None:
    """`owner` changed something and wants to see it."""
    cache.delete(_key(owner))


def of(request: HttpRequest) -> View | None:
    """The view the address names, if it is there for this person."""
    name = request.GET.get("view", "")
    every = (*system(), *saved(permissions.actor(request.user))) if name else ()
    return next((view for view in every if view.id == name), None)


def first(request: HttpRequest) -> View | None:
    """Where this person's list begins."""
    mine = saved(permissions.actor(request.user))
    return next((view for view in mine if view.is_default), None)


def _canonical(query: str) -> str:
    return RunQuery.parse(QueryDict(query)).encode()


def _key(owner: str) -> str:
    # letters and digits only, whatever the name
    return f"dashboard.views.{owner.encode().hex()[:200]}"
