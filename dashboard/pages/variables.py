"""Environment variables of runs: the list, add, change, delete, and a whole .env at once."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import pluralize
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_http_methods

from dashboard import permissions
from dashboard.pages import shell
from dashboard.pages.page import page, see_other
from runs import dotenv
from runs.encryption import decrypt
from runs.errors import InvalidOption, Undecipherable
from runs.lifecycle import envvars
from runs.models import EnvVar

#: Characters of a value shown in the list; its own page has all of it.
SHOWN = 2000
TEXT = {"autocomplete": "off", "spellcheck": "false", "class": "mono"}
NEVER = "Never shown again, to anybody. This cannot be taken back."


class Lines(forms.CharField):
    """Text as it was typed, with line ends as files have them."""

    widget = forms.Textarea

    def __init__(self, **options: Any) -> None:
        super().__init__(strip=False, **options)

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value) or "").replace("\r\n", "\n")


class VariableForm(forms.Form):
    """One variable."""

    name = forms.CharField(
        label="Name",
        max_length=256,
        widget=forms.TextInput(attrs=TEXT | {"placeholder": "SHOP_KEY"}),
        help_text="Letters, digits and underscores.",
    )
    value = Lines(label="Value", required=False, widget=forms.Textarea(attrs=TEXT | {"rows": 4}))
    secret = forms.BooleanField(label="Secret", required=False, help_text=NEVER)


class ImportForm(forms.Form):
    """The text of a .env file."""

    variables = Lines(
        label="Variables",
        widget=forms.Textarea(
            attrs=TEXT | {"rows": 12, "placeholder": 'SHOP_KEY=...\nSHOP_NAME="Corner shop"'}
        ),
        help_text="NAME=value on each line, quoted or not; # begins a comment.",
    )
    override = forms.BooleanField(
        label="Replace those that are set already",
        required=False,
        help_text="Otherwise nothing is changed where one of them is.",
    )
    secret = forms.BooleanField(label="All of them are secret", required=False, help_text=NEVER)


@dataclass(frozen=True, slots=True)
class Row:
    """A variable as the list shows it; `value` is None for what this person may not see."""

    variable: EnvVar
    value: str | None
    is_readable: bool

    @property
    def is_cut(self) -> bool:
        return self.value is not None and len(self.value) > SHOWN


@page()
def index(request: HttpRequest) -> HttpResponse:
    refusal = permissions.refusal(request.user, permissions.ADMINISTER)
    rows = [_row(one, shown=not refusal) for one in EnvVar.objects.all()]
    return _render(request, "index", {"rows": rows, "refusal": refusal})


def _row(variable: EnvVar, *, shown: bool) -> Row:
    plain = _plain(variable)
    visible = shown and not variable.is_secret
    return Row(variable, plain if visible else None, plain is not None)


def _plain(variable: EnvVar) -> str | None:
    try:
        return decrypt(variable.value)
    except Undecipherable:
        return None


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.ADMINISTER)
def new(request: HttpRequest) -> HttpResponse:
    form = VariableForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        if _is_put(request, form, {data["name"]: data["value"]}, override=False):
            return see_other("variables")
    return _show(request, "form", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.ADMINISTER)
def edit(request: HttpRequest, name: str) -> HttpResponse:
    """Another value; the name stays (EV-7)."""
    variable = envvars.find(name)
    form = VariableForm(request.POST or None, initial={"value": _editable(request, variable)})
    del form.fields["name"]
    if variable.is_secret:
        _hide(form)
    if request.method == "POST" and form.is_valid():
        values = {name: form.cleaned_data["value"]}
        if _is_put(request, form, values, override=True):
            return see_other("variables")
    return _show(request, "form", {"form": form, "variable": variable})


def _editable(request: HttpRequest, variable: EnvVar) -> str:
    may_see = permissions.may(request.user, permissions.ADMINISTER) and not variable.is_secret
    return (_plain(variable) or "") if may_see else ""


def _hide(form: VariableForm) -> None:
    """A secret's value is typed anew, and it stays a secret."""
    del form.fields["secret"]
    value = form.fields["value"]
    value.required = True
    value.error_messages["required"] = "Type its new value. The stored one stays as it is."
    value.help_text = "It is a secret: the stored value is never shown."


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.ADMINISTER)
def bring(request: HttpRequest) -> HttpResponse:
    """A whole .env file, all of it or nothing."""
    form = ImportForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            found = dotenv.parse(data["variables"])
        except InvalidOption as error:
            form.add_error("variables", str(error))
        else:
            if _is_put(request, form, found, override=data["override"]):
                return see_other("variables")
    return _show(request, "import", {"form": form})


def _is_put(
    request: HttpRequest,
    form: VariableForm | ImportForm,
    values: dict[str, str],
    *,
    override: bool,
) -> bool:
    """Set them, or say at the form why not."""
    secret = form.cleaned_data.get("secret", False)
    actor = permissions.actor(request.user)
    try:
        count = envvars.put(values, actor=actor, secret=secret, override=override)
    except InvalidOption as error:
        form.add_error(error.option if error.option in form.fields else None, str(error))
        return False
    said = f"Set {count} variable{pluralize(count)}. Runs that start now have the change."
    messages.success(request, said if count else "Nothing differs from what was set.")
    return True


@require_http_methods(["GET", "HEAD", "POST"])
@page(act=permissions.ADMINISTER)
def delete(request: HttpRequest, name: str) -> HttpResponse:
    variable = envvars.find(name)
    if request.method == "POST":
        envvars.delete(name, actor=permissions.actor(request.user))
        messages.success(request, f"Deleted {name}. Runs that start now do without it.")
        return see_other("variables")
    return _show(request, "delete", {"variable": variable})


def _show(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    context["refusal"] = permissions.refusal(request.user, permissions.ADMINISTER)
    status = 422 if request.method == "POST" else 200
    return _render(request, template, context, status)


def _render(
    request: HttpRequest, template: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    """A page that no cache keeps."""
    response = shell.render(request, f"dashboard/variables/{template}.html", context, status=status)
    patch_cache_control(response, no_store=True)
    return response
