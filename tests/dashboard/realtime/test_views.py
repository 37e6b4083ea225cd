"""Where nothing stands in front of Django."""

import pytest
from django.urls import include, path

from dashboard.realtime import application


@pytest.mark.parametrize("asked", ["runs", "runs/run_1", "batches/batch_1", "streams/run_1/x"])
def test_plain_django_says_what_is_missing(client, asked):
    answer = client.get(f"/realtime/v1/{asked}")
    assert (answer.status_code, answer["x-should-retry"]) == (501, "false")
    assert "dashboard.realtime.realtime()" in answer.json()["error"]


def test_a_path_nobody_has_is_a_404(client):
    assert client.get("/realtime/v1/nothing").status_code == 404


urlpatterns = [path("deep/er/", include("dashboard.urls"))]


@pytest.fixture
def _below(settings):
    settings.ROOT_URLCONF = __name__
    application._is_prefix.cache_clear()
    yield
    application._is_prefix.cache_clear()


@pytest.mark.usefixtures("_below")
@pytest.mark.parametrize(
    ("root", "asked", "found"),
    [
        ("", "/deep/er/realtime/v1/runs/run_1", True),
        ("/served", "/served/deep/er/realtime/v1/runs", True),
        ("", "/realtime/v1/runs", False),
        ("", "/elsewhere/realtime/v1/runs", False),
        ("", "/deep/er/realtime/v1/nothing", True),
    ],
)
def test_stands_wherever_the_project_includes_it(root, asked, found):
    scope = {"type": "http", "path": asked, "root_path": root}
    assert (application._match(scope) is not None) == found
