"""Values that are redacted, shown once to somebody who says why."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_http_methods

from dashboard import permissions
from dashboard.pages import shell
from dashboard.pages.page import page
from dashboard.pages.run_finding import find
from runs.errors import InvalidOption
from runs.lifecycle import revealing

#: Values offered at once.
MOST = 200


class RevealForm(forms.Form):
    places = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple, label="Values")
    reason = forms.CharField(
        max_length=revealing.MAX_REASON, help_text="Stands in the audit log with your name."
    )

    def __init__(self, data: object, places: list[str]) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        chosen = self.fields["places"]
        assert isinstance(chosen, forms.MultipleChoiceField)
        chosen.choices = [(place, place) for place in places]
        chosen.initial = places if len(places) == 1 else []


@require_http_methods(["GET", "HEAD", "POST"])
@page(permissions.READ, act=permissions.REVEAL)
def reveal(request: HttpRequest, run_id: str, name: str) -> HttpResponse:
    run = find(run_id)
    places = revealing.places(run.pk, name)
    form = RevealForm(request.POST or None, places[:MOST])
    context = {"run": run, "name": name, "form": form, "count": len(places), "most": MOST}
    context["refusal"] = permissions.refusal(request.user, permissions.REVEAL)
    shown: list[tuple[str, str]] = []
    if request.method == "POST" and form.is_valid():
        actor, data = permissions.actor(request.user), form.cleaned_data
        try:
            shown = revealing.reveal(
                run.pk, name, data["places"], actor=actor, reason=data["reason"]
            )
        except InvalidOption as error:
            form.add_error(error.option, str(error))
    status = 422 if request.method == "POST" and not shown else 200
    context["shown"] = shown
    response = shell.render(request, "dashboard/run/reveal.html", context, status=status)
    patch_cache_control(response, no_store=True)
    return response
