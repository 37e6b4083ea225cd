"""One box that finds runs, tasks and queues by what is at hand."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from dashboard.pages import shell
from dashboard.pages.page import page
from dashboard.pages.run_query import RunQuery
from runs.models import Batch, Queue, Run, Schedule, Task
from runs.reads.runfilter import RunFilter

FOUND = 20


@page()
def jump(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "").replace("\x00", "").strip()[:300]
    if not text:
        return redirect("dashboard:overview")
    places = _places(text)
    if len(places) == 1:
        return redirect(places[0][1])
    status = 200 if places else 404
    return shell.render(
        request, "dashboard/jump.html", {"q": text, "places": places}, status=status
    )


def _places(text: str) -> list[tuple[str, str]]:
    """(what, address) of everything called `text` or beginning with it; an exact hit stands alone."""
    if run := Run.objects.light().filter(pk=text.lower()).first():
        return [(run.id, reverse("dashboard:run", args=[run.id]))]
    if Schedule.objects.filter(pk=text.lower()).exists():
        return [(text, reverse("dashboard:schedule", args=[text.lower()]))]
    if Batch.objects.filter(pk=text.lower()).exists():
        return [(text, reverse("dashboard:batch", args=[text.lower()]))]
    if Task.objects.filter(id=text).exists():
        return [(text, _task_address(text))]
    return [*_runs(text), *_tasks(text), *_queues(text)][:FOUND]


def _runs(text: str) -> list[tuple[str, str]]:
    body = text.lower().removeprefix("run_")
    if len(body) < 6 or not body.isalnum():
        return []
    ids = RunFilter(run=(f"run_{body}",)).runs().newest_first().values_list("id", flat=True)
    return [(run_id, reverse("dashboard:run", args=[run_id])) for run_id in ids[:FOUND]]


def _tasks(text: str) -> list[tuple[str, str]]:
    ids = Task.objects.filter(id__icontains=text).values_list("id", flat=True)[:FOUND]
    return [(f"Runs of {task_id}", _task_address(task_id)) for task_id in ids]


def _queues(text: str) -> list[tuple[str, str]]:
    names = Queue.objects.filter(name__icontains=text, kind="custom").values_list("name", flat=True)
    return [(f"Queue {name}", reverse("dashboard:queue", args=[name])) for name in names[:FOUND]]


def _task_address(task_id: str) -> str:
    return f"{reverse('dashboard:runs')}?{RunQuery(task=(task_id,)).encode()}"
