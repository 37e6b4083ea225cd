"""Members: who has an account, in which role, and since when he was not here."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_http_methods

from dashboard import permissions, undo
from dashboard.pages import settings
from dashboard.pages.page import page, see_other
from dashboard.people import members, roles
from dashboard.presenters import Look
from runs.errors import InvalidOption

PAGE = 50
ROLES = [(role, f"{word}: {told}") for role, (word, told) in roles.WORDS.items()]
ACTIVE = Look("Active", "tick", "ok", "May log in.")
INVITED = Look("Invited", "delayed", "warn", "Has not used the link yet.")
OFF = Look("Switched off", "canceled", "idle", "May not log in; sessions are over.")


class InviteForm(forms.Form):
    name = forms.CharField(
        label="User name",
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )
    email = forms.EmailField(label="E-mail", required=False)
    role = forms.ChoiceField(choices=ROLES, initial=roles.VIEWER)


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=ROLES)


@dataclass(frozen=True, slots=True)
class Row:
    """A person in the list."""

    user: User
    look: Look
    role: str
    #: Permissions beside the role.
    more: str


@require_http_methods(["GET", "HEAD", "POST"])
@page(permissions.ADMINISTER)
def index(request: HttpRequest) -> HttpResponse:
    form = InviteForm(request.POST or None)
    if request.method != "POST":
        return _list(request, form)
    if not form.is_valid():
        return _list(request, form, status=422)
    data = form.cleaned_data
    try:
        user, link = members.invite(
            data["name"],
            data["role"],
            email=data["email"],
            actor=permissions.actor(request.user),
        )
    except InvalidOption as error:
        form.add_error("name", str(error))
        return _list(request, form, status=422)
    return _shown_once(_list(request, InviteForm(), invited=user, link=link))


@require_http_methods(["GET", "HEAD", "POST"])
@page(permissions.ADMINISTER)
def detail(request: HttpRequest, number: int) -> HttpResponse:
    user = members.find(number)
    if request.method != "POST":
        return _one(request, user)
    by, act = request.user, request.POST.get("act", "")
    assert isinstance(by, User)
    try:
        if act == "link":
            link = members.renew_link(user, by=by)
            return _shown_once(_one(request, user, link=link))
        said = _done(request, user, act, by)
    except InvalidOption as error:
        return _one(request, members.find(number), problem=str(error), status=409)
    if act in ("activate", "deactivate"):
        other = "deactivate" if act == "activate" else "activate"
        undo.said(request, said, undo.to("member", user.pk), act=other)
    else:
        messages.success(request, said)
    return see_other("members")


def _done(request: HttpRequest, user: User, act: str, by: User) -> str:
    name = user.get_username()
    if act == "role":
        form = RoleForm(request.POST)
        if not form.is_valid():
            raise InvalidOption("role", "There is no such role.")
        role = form.cleaned_data["role"]
        members.set_role(user, role, by=by)
        return f"{name} is {roles.WORDS[role][0]} now."
    if act == "end":
        ended = members.end_sessions(user, by=by)
        return f"{name} is logged out everywhere: {ended} session{'' if ended == 1 else 's'} ended."
    if act not in ("activate", "deactivate"):
        raise InvalidOption("act", "Nothing was changed: there is no such button.")
    members.set_active(user, act == "activate", by=by)
    return f"{name} may log in again." if act == "activate" else f"{name} is switched off."


def _shown_once(response: HttpResponse) -> HttpResponse:
    """A link is shown this once, and nothing of the page may be kept."""
    patch_cache_control(response, no_store=True)
    return response


def _list(
    request: HttpRequest,
    form: InviteForm,
    *,
    invited: User | None = None,
    link: str = "",
    status: int = 200,
) -> HttpResponse:
    after = request.GET.get("after", "")
    start = int(after) if after.isascii() and after.isdecimal() and len(after) < 10 else 0
    found = list(members.people().filter(pk__gt=start)[: PAGE + 1])
    context = {
        "rows": [_row(user) for user in found[:PAGE]],
        "next": found[PAGE - 1].pk if len(found) > PAGE else "",
        "after": start,
        "form": form,
        "invited": invited,
        "link": request.build_absolute_uri(link) if link else "",
    }
    return settings.render(request, "members", "dashboard/members/index.html", context, status)


def _one(
    request: HttpRequest, user: User, *, link: str = "", problem: str = "", status: int = 200
) -> HttpResponse:
    row = _row(user)
    context: dict[str, Any] = {
        "member": user,
        "row": row,
        "form": RoleForm(initial={"role": row.role or roles.VIEWER}),
        "link": request.build_absolute_uri(link) if link else "",
        "problem": problem,
        "is_self": user.pk == request.user.pk,
        "refusal": "" if request.user.is_superuser or not user.is_superuser else members.ROOT,
    }
    return settings.render(request, "members", "dashboard/members/detail.html", context, status)


def _row(user: User) -> Row:
    look = ACTIVE if user.has_usable_password() or user.last_login else INVITED
    own = ["staff: Django's admin"] if user.is_staff else []
    own += ["superuser: everything"] if user.is_superuser else []
    own += [group.name for group in user.groups.all() if group.name not in roles.NAMES]
    return Row(user, look if user.is_active else OFF, roles.of(user), ", ".join(own))
