from django.urls import path

from dashboard.pages import (
    bulk,
    cancel,
    jump,
    overview,
    preferences,
    queues,
    raw,
    replay,
    run_list,
    run_page,
    shortcuts,
    test,
    workers,
)

app_name = "dashboard"
urlpatterns = [
    path("", overview.index, name="overview"),
    path("runs", run_list.index, name="runs"),
    path("runs/live", run_list.live_rows, name="runs_live"),
    path("runs/counts", run_list.counts, name="runs_counts"),
    path("runs/<str:run_id>", run_page.detail, name="run"),
    path("runs/<str:run_id>/live", run_page.live_parts, name="run_live"),
    path("runs/<str:run_id>/replay", replay.replay, name="replay"),
    path("runs/<str:run_id>/cancel", cancel.cancel, name="cancel"),
    path("runs/<str:run_id>/raw/logs", raw.logs, name="raw_logs"),
    path("runs/<str:run_id>/raw/<str:name>", raw.document, name="raw"),
    path("bulk/cancel", bulk.cancel, name="bulk_cancel"),
    path("bulk/replay", bulk.replay, name="bulk_replay"),
    path("r/<str:run_id>", run_page.short_link, name="short"),
    path("test", test.pick, name="test"),
    path("test/<path:task_id>", test.test, name="test_task"),
    path("queues", queues.index, name="queues"),
    path("queues/<path:name>", queues.detail, name="queue"),
    path("workers", workers.index, name="workers"),
    path("jump", jump.jump, name="jump"),
    path("help/shortcuts", shortcuts.sheet, name="shortcuts"),
    path("preferences", preferences.save, name="preferences"),
]
