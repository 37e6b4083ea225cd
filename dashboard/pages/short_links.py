"""One short address for each kind of thing, for chats and tickets."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from dashboard.pages.page import page


@page()
def batch(request: HttpRequest, batch_id: str) -> HttpResponse:
    return redirect("dashboard:batch", batch_id.lower())


@page()
def token(request: HttpRequest, token_id: str) -> HttpResponse:
    return redirect("dashboard:waitpoint", token_id.lower())


@page()
def schedule(request: HttpRequest, schedule_id: str) -> HttpResponse:
    return redirect("dashboard:schedule", schedule_id.lower())
