"""The URLs of the ready project: Trackside at the root, login, and Django's admin."""

from django.contrib import admin
from django.urls import include, path

from dashboard.accounts.login import Again, Login, Logout

#: Django-Q's own forms would let whoever may use them call any function by name.
for model in [one for one in admin.site._registry if one._meta.app_label == "django_q"]:
    admin.site.unregister(model)

urlpatterns = [
    path("admin/login/", Again.as_view()),
    path("admin/", admin.site.urls),
    path("login/", Login.as_view(), name="login"),
    path("logout/", Logout.as_view(), name="logout"),
    path("", include("dashboard.urls")),
]

handler400 = "dashboard.pages.refusals.handler400"
handler403 = "dashboard.pages.refusals.handler403"
handler404 = "dashboard.pages.refusals.handler404"
handler500 = "dashboard.pages.refusals.handler500"
