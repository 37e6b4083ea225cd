from django.urls import path

from dashboard.accounts import views

urlpatterns = [
    path("invitation/<int:pk>/<str:token>/", views.invitation, name="invitation"),
    path("first-login/<int:pk>/<str:token>/", views.first_login, name="first-login"),
]
