from django.urls import path

from dashboard.accounts import login, views

urlpatterns = [
    path("password/", login.Password.as_view(), name="own-password"),
    path("invitation/<int:pk>/<str:token>/", views.invitation, name="invitation"),
    path("first-login/<int:pk>/<str:token>/", views.first_login, name="first-login"),
]
