"""Where those ask that keep the processes up."""

from django.urls import path

from dashboard.monitoring import probes

app_name = "health"
urlpatterns = [
    path("health/live", probes.live, name="live"),
    path("health/ready", probes.ready, name="ready"),
]
