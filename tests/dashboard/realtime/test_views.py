"""Where nothing stands in front of Django."""

import pytest


@pytest.mark.parametrize("path", ["runs", "runs/run_1", "batches/batch_1", "streams/run_1/x"])
def test_plain_django_says_what_is_missing(client, path):
    answer = client.get(f"/realtime/v1/{path}")
    assert (answer.status_code, answer["x-should-retry"]) == (501, "false")
    assert "dashboard.realtime.realtime()" in answer.json()["error"]


def test_a_path_nobody_has_is_a_404(client):
    assert client.get("/realtime/v1/nothing").status_code == 404
