"""The URLs of the ready project: Trackside at the root, login, and Django's admin."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("", include("dashboard.urls")),
]

handler400 = "dashboard.pages.refusals.handler400"
handler403 = "dashboard.pages.refusals.handler403"
handler404 = "dashboard.pages.refusals.handler404"
handler500 = "dashboard.pages.refusals.handler500"
