"""One box that finds runs, tasks, queues and pages by what is at hand; the palette asks it too."""

from dataclasses import asdict, dataclass
from urllib.parse import urlencode

from django.db.models import Model
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse

from dashboard import permissions
from dashboard.pages import run_views, shell
from dashboard.pages.page import page
from dashboard.pages.run_query import RunQuery
from runs.models import Batch, ErrorGroup, Queue, Run, Schedule, Task, Waitpoint
from runs.reads.runfilter import RunFilter

FOUND, EACH = 20, 8
SHORTEST = 6
#: By what an id begins with: the page, and what it shows.
IDS: dict[str, tuple[str, type[Model]]] = {
    "run": ("run", Run),
    "sched": ("schedule", Schedule),
    "batch": ("batch", Batch),
    "waitpoint": ("waitpoint", Waitpoint),
}
#: Pages that are in no navigation.
ELSEWHERE = (
    ("me", "Preferences"),
    ("shortcuts", "Keyboard shortcuts"),
    ("reference", "API reference"),
    ("views", "Views of the runs list"),
    ("schedule_new", "New schedule"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """What is found, of which kind, and where."""

    what: str
    kind: str
    address: str


@page()
def jump(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "").replace("\x00", "").strip()[:300]
    if request.headers.get("Accept") == "application/json":
        return JsonResponse({"places": [asdict(place) for place in _offered(request, text)]})
    if not text:
        return redirect("dashboard:overview")
    places = _places(request, text)
    if len(places) == 1:
        return redirect(places[0].address)
    status = 200 if places else 404
    context = {"q": text, "places": places, "search": _search(text)}
    return shell.render(request, "dashboard/jump.html", context, status=status)


def _offered(request: HttpRequest, text: str) -> list[Place]:
    """For the palette: pages before anything is typed, and the search of runs at the end."""
    if not text:
        return _pages(request, "")
    return [*_places(request, text), *_search(text)]


def _search(text: str) -> list[Place]:
    """The list of runs, where the text is a search."""
    query = RunQuery.parse(QueryDict(urlencode({"q": text})))
    if query.problem:
        return []
    address = f"{reverse('dashboard:runs')}?{query.encode()}"
    return [Place(f"Runs that match “{text}”", "Search", address)]


def _places(request: HttpRequest, text: str) -> list[Place]:
    """Everything called `text` or with it in its name; an exact id stands alone."""
    if exact := _exact(text):
        return [exact]
    found = [*_runs(text), *_pages(request, text), *_tasks(text), *_queues(text)]
    return [*found, *_schedules(text), *_errors(text)][:FOUND]


def _exact(text: str) -> Place | None:
    """By an id, of whatever."""
    name = text.lower()
    if named := IDS.get(name.partition("_")[0]):
        view, model = named
        if model._default_manager.filter(pk=name).exists():
            return Place(name, view.capitalize(), reverse(f"dashboard:{view}", args=[name]))
    if Task.objects.filter(id=text).exists():
        return Place(text, "Task", _task_address(text))
    return None


def _runs(text: str) -> list[Place]:
    body = text.lower().removeprefix("run_")
    if len(body) < SHORTEST or not body.isalnum():
        return []
    ids = RunFilter(run=(f"run_{body}",)).runs().newest_first().values_list("id", flat=True)
    return [Place(run_id, "Run", reverse("dashboard:run", args=[run_id])) for run_id in ids[:FOUND]]


def _pages(request: HttpRequest, text: str) -> list[Place]:
    wanted = text.lower()
    views = run_views.saved(permissions.actor(request.user)) if text else []
    known = [
        *(Place(word, "Page", address) for word, address in shell.pages(request.user)),
        *(Place(word, "Page", reverse(f"dashboard:{name}")) for name, word in ELSEWHERE),
        *(Place(view.name, "View", view.address) for view in views),
    ]
    return [place for place in known if wanted in place.what.lower()][:FOUND]


def _tasks(text: str) -> list[Place]:
    ids = Task.objects.filter(id__icontains=text).order_by("id").values_list("id", flat=True)
    return [Place(f"Runs of {task_id}", "Task", _task_address(task_id)) for task_id in ids[:EACH]]


def _queues(text: str) -> list[Place]:
    queues = Queue.objects.filter(name__icontains=text, kind="custom").order_by("name")
    names = queues.values_list("name", flat=True)[:EACH]
    return [Place(f"Queue {one}", "Queue", reverse("dashboard:queue", args=[one])) for one in names]


def _schedules(text: str) -> list[Place]:
    rows = Schedule.objects.filter(task_id__icontains=text).order_by("task_id")[:EACH]
    return [
        Place(
            f"Schedule of {row.task_id}", "Schedule", reverse("dashboard:schedule", args=[row.pk])
        )
        for row in rows
    ]


def _errors(text: str) -> list[Place]:
    """By the name of the error alone; a message may hold what this person must not see."""
    groups = ErrorGroup.objects.filter(name__icontains=text).order_by("-last_at")[:EACH]
    return [
        Place(group.name, "Error", reverse("dashboard:error", args=[group.pk])) for group in groups
    ]


def _task_address(task_id: str) -> str:
    return f"{reverse('dashboard:runs')}?{RunQuery(task=(task_id,)).encode()}"
