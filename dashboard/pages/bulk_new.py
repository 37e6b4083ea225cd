"""Beginning a bulk action: which runs, what happens to each, and how fast."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from dashboard import permissions
from dashboard.pages import bulk_pace, bulk_preview, shell
from dashboard.pages.bulk_pace import PaceForm
from dashboard.pages.bulk_preview import Preview
from dashboard.pages.page import page, see_other
from dashboard.pages.run_query import RunQuery
from dashboard.pages.trigger_form import ExactTextarea, new_token, tag_list
from runs import conf, lifecycle
from runs.errors import InvalidOption
from runs.lifecycle.bulkoptions import MOST_FIRST, BulkOptions
from runs.models import AlertChannel, BulkKind, Run
from runs.models.run import RunQuerySet
from runs.reads.deadline import TooSlow
from runs.reads.runfilter import RunFilter

#: Runs picked one by one; a page of the list holds a hundred.
MOST = 500
#: Seconds in which it can be called off.
UNDO = 8.0
#: Above so many the number is typed.
TYPED = 1000
WORDS = {"replay": BulkKind.REPLAY, "cancel": BulkKind.CANCEL, "tag": BulkKind.TAG}
WORDS |= {"priority": BulkKind.PRIORITY, "key": BulkKind.KEY}
TEXT = {"autocomplete": "off", "spellcheck": "false"}


class BulkForm(PaceForm):
    """What a person may say about a bulk action."""

    patch = forms.CharField(
        label="Patch",
        required=False,
        widget=ExactTextarea(attrs={"rows": 5, "spellcheck": "false", "data-json": ""}),
        help_text="A JSON merge patch for every payload: members are replaced, null removes one.",
    )
    version = forms.CharField(
        required=False,
        max_length=64,
        widget=forms.TextInput(attrs=TEXT),
        help_text="Of the task's code. The current one if empty.",
    )
    tags = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.TextInput(attrs=TEXT),
        help_text="Added to those each run has, separated by commas.",
    )
    priority = forms.FloatField(required=False, help_text="Seconds of head start in its queue.")
    canary = forms.IntegerField(
        label="First",
        required=False,
        min_value=0,
        max_value=MOST_FIRST,
        help_text="So many replays have to succeed before the others are made.",
    )
    order = forms.ChoiceField(
        required=False, choices=[("", "The oldest first"), ("newest", "The newest first")]
    )
    notify = forms.ChoiceField(
        label="Tell at the end",
        required=False,
        help_text="An alert channel hears what became of it.",
    )
    name = forms.CharField(required=False, max_length=255, widget=forms.TextInput(attrs=TEXT))
    reason = forms.CharField(
        required=False,
        max_length=1000,
        widget=forms.TextInput(attrs=TEXT),
        help_text="Stands in the audit log, and on runs that it cancels.",
    )

    field_order = (
        "patch", "version", "tags", "priority", "canary", *bulk_pace.FIELDS,
        "order", "notify", "name", "reason",
    )  # fmt: skip
    #: Fields of each kind beside name and reason.
    OF = {
        BulkKind.REPLAY: ("patch", "version", "tags", "canary", *bulk_pace.FIELDS, "order"),
        BulkKind.CANCEL: (*bulk_pace.FIELDS, "order"),
        BulkKind.TAG: ("tags", *bulk_pace.FIELDS, "order"),
        BulkKind.PRIORITY: ("priority", *bulk_pace.FIELDS, "order"),
        BulkKind.KEY: (*bulk_pace.FIELDS, "order"),
    }

    def __init__(self, kind: BulkKind, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        for name in set(self.fields) - {*self.OF[kind], "name", "notify", "reason"}:
            del self.fields[name]
        channels = AlertChannel.objects.filter(active=True).values_list("pk", "name")
        told = [("", "Nobody"), *((str(pk), name) for pk, name in channels)]
        self.fields["notify"].choices = told  # type: ignore[attr-defined]
        if len(told) == 1:
            del self.fields["notify"]

    def options(self) -> BulkOptions:
        """Raises InvalidOption."""
        given = {name: self.cleaned_data[name] for name in self.OF[self.kind]}
        given["newest_first"] = given.pop("order") == "newest"
        given["tags"] = tag_list(given.get("tags", "")) or ()
        said = {name: value for name, value in given.items() if value not in (None, "")}
        options = BulkOptions(**said, wait=UNDO)
        options.check(self.kind)
        return options

    def refuse(self, error: InvalidOption) -> None:
        self.add_error(error.option if error.option in self.fields else None, str(error))


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.OPERATE)
def new(request: HttpRequest) -> HttpResponse:
    data = request.POST if request.method == "POST" else request.GET
    kind = WORDS.get(data.get("action", ""), BulkKind.REPLAY)
    scope = Scope(data)
    if scope.why_not:
        return _show(request, kind, scope, None, None, status=422)
    form = BulkForm(kind, request.POST if request.method == "POST" else None)
    options = _options(form) if request.method == "POST" else None
    try:
        seen = bulk_preview.preview(scope.runs(), options.patch if options else "")
        if options and seen.count and data.get("do") == "begin" and _agreed(data, kind, seen):
            return _begun(request, kind, scope, form, options)
    except TooSlow as error:
        scope.why_not = (
            f"Finding these runs took more than {error.seconds:g} s. Narrow the list: a task, a "
            "status, a shorter time."
        )
        return _show(request, kind, scope, None, None, status=422)
    wrong = form.errors or data.get("do") == "begin"
    pace = bulk_pace.foretold(seen.count, options) if options else None
    return _show(request, kind, scope, form, seen, 422 if wrong else 200, pace)


class Scope:
    """Which runs: those that were picked, or all that a list's filters find."""

    def __init__(self, data: QueryDict) -> None:
        self.ids = [one for one in dict.fromkeys(data.getlist("run")) if "\x00" not in one]
        self.is_picked = "picked" in data
        given = data.get("back") if self.ids or "back" in data else None
        self.query = RunQuery.parse(QueryDict(given) if given is not None else data)
        #: Nobody means what is made after somebody looked.
        self.filter: RunFilter = self.query.filter(timezone.now())
        self.why_not = self._problem()

    def _problem(self) -> str:
        if len(self.ids) > MOST:
            return f"These are {len(self.ids)} runs; {MOST} at most are picked one by one. Use filters."
        if self.ids:
            return ""
        return self._problem_of_search()

    def _problem_of_search(self) -> str:
        if self.is_picked:
            return (
                "No run is selected. Tick some on the list first, or choose “All that match” there."
            )
        if self.query.problem:
            return f"The search cannot be read: {self.query.problem}"
        if not self.query.is_narrowed:
            return "A bulk action needs a filter, or runs picked on the list. All runs are never meant."
        return ""

    @property
    def chosen(self) -> list[str] | RunFilter:
        return self.ids or self.filter

    def runs(self) -> RunQuerySet:
        return Run.objects.filter(pk__in=self.ids) if self.ids else self.filter.runs()


def _options(form: BulkForm) -> BulkOptions | None:
    if not form.is_valid():
        return None
    try:
        return form.options()
    except InvalidOption as error:
        form.refuse(error)
        return None


def is_production() -> bool:
    return bool(conf.get("ENVIRONMENT")["kind"] == "prod")


def is_guarded(kind: BulkKind, count: int) -> bool:
    """Whether the number is typed before it begins."""
    return count > TYPED or (is_production() and bulk_preview.is_risky(kind))


def _agreed(data: QueryDict, kind: BulkKind, seen: Preview) -> bool:
    typed = data.get("typed", "").replace(",", "").strip()
    return not is_guarded(kind, seen.count) or typed == str(seen.count)


def _begun(
    request: HttpRequest, kind: BulkKind, scope: Scope, form: BulkForm, options: BulkOptions
) -> HttpResponse:
    said = form.cleaned_data
    made = lifecycle.begin_bulk(
        kind,
        scope.chosen,
        name=said["name"].replace("\x00", ""),
        actor=permissions.actor(request.user),
        request_key=f"page:{request.POST.get('token', '')[:64]}",
        options=options,
        reason=said["reason"].replace("\x00", ""),
        notify=AlertChannel.objects.filter(pk=said.get("notify") or 0).first(),
    )
    pace = bulk_pace.told(BulkOptions.of(made.options))
    messages.success(
        request,
        f"{bulk_preview.word(kind, made.total)}{pace and f', {pace}'}: it begins in {UNDO:g} s. "
        "Undo it until then.",
    )
    return see_other("bulk_action", made.pk)


def _show(
    request: HttpRequest,
    kind: BulkKind,
    scope: Scope,
    form: BulkForm | None,
    seen: Preview | None,
    status: int,
    pace: bulk_pace.Foretold | None = None,
) -> HttpResponse:
    encoded = scope.query.encode()
    count = seen.count if seen else 0
    context = {
        "kind": kind,
        "actions": [(name, word.label, word == kind) for name, word in WORDS.items()],
        "action": next(name for name, word in WORDS.items() if word == kind),
        "scope": scope,
        "encoded": encoded,
        "form": form,
        "seen": seen,
        "pace": pace,
        "word": bulk_preview.word(kind, count),
        "css": "danger" if bulk_preview.is_risky(kind) else "primary",
        "is_guarded": is_guarded(kind, count),
        "was_sent": request.method == "POST" and request.POST.get("do") == "begin",
        "token": request.POST.get("token") or new_token(),
        "address": f"{reverse('dashboard:runs')}?{encoded}",
        "refusal": permissions.refusal(request.user, permissions.OPERATE),
        "undo": timedelta(seconds=UNDO),
    }
    return shell.render(request, "dashboard/bulk/new.html", context, status=status)
