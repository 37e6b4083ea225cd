"""The API's paths. No trailing slashes: clients send none and a redirect would lose a POST."""

from django.urls import path, re_path, register_converter

from dashboard.api import (
    annotations,
    apikeys,
    batches,
    batchstream,
    bulkactions,
    catalog,
    changes,
    envvars,
    failures,
    grants,
    metrics,
    packetlinks,
    queues,
    results,
    runs,
    schedules,
    tasks,
    tokens,
    traces,
    upkeep,
    webhooks,
)
from dashboard.api.document import openapi
from dashboard.api.endpoint import unknown

app_name = "api"


class TaskIdConverter:
    """A task id as it was decoded, slashes and line ends included."""

    regex = r"(?s:.+)"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(TaskIdConverter, "task_id")

urlpatterns = [
    path("api/v1/tasks/<task_id:task_id>/trigger", tasks.trigger, name="trigger"),
    path("api/v1/tasks/<task_id:task_id>/pause", catalog.pause, name="task_pause"),
    path("api/v1/runs", runs.index, name="runs"),
    path("api/v1/projects/<str:project>/runs", runs.index, name="project_runs"),
    path("api/v3/runs/<str:run_id>", runs.retrieve, name="run"),
    path("api/v1/runs/<str:run_id>", runs.retrieve, name="run_v1"),
    path("api/v2/runs/<str:run_id>/cancel", runs.cancel, name="cancel"),
    path("api/v1/runs/<str:run_id>/replay", runs.replay, name="replay"),
    path("api/v1/runs/<str:run_id>/edit", upkeep.edit, name="edit"),
    path("api/v1/runs/<str:run_id>/unlock", upkeep.unlock, name="unlock"),
    path("api/v1/runs/<str:run_id>/metadata", annotations.metadata, name="metadata"),
    path("api/v1/runs/<str:run_id>/tags", annotations.tags, name="tags"),
    path("api/v1/runs/<str:run_id>/trace", traces.trace, name="trace"),
    path("api/v3/runs/<str:run_id>/trace", traces.trace, name="trace_v3"),
    path("api/v1/runs/<str:run_id>/events", traces.events, name="events"),
    path("api/v3/runs/<str:run_id>/events", traces.events, name="events_v3"),
    path("api/v1/runs/<str:run_id>/result", results.retrieve, name="result"),
    path("api/v1/runs/<str:run_id>/packets/<str:field>", packetlinks.of_run, name="run_packet"),
    path("api/v2/packets/<task_id:name>", packetlinks.place, name="packet_place"),
    path("api/v1/packets/<task_id:path>", packetlinks.of_path, name="packet"),
    path("api/packets/<task_id:path>", packetlinks.content, name="packet_content"),
    path("api/v3/batches", batchstream.create, name="batch_create"),
    path("api/v3/batches/<str:batch_id>/items", batchstream.items, name="batch_items"),
    path("api/v1/batches/<str:batch_id>/results", batches.ended, name="batch_results"),
    path("api/v2/batches/<str:batch_id>/results", batches.ended, name="batch_results_v2"),
    path("api/v2/batches/<str:batch_id>", batches.retrieve, name="batch"),
    path("api/v1/batches/<str:batch_id>", batches.retrieve, name="batch_v1"),
    path("api/v1/runs/<str:run_id>/reschedule", changes.reschedule, name="reschedule"),
    path("api/v1/idempotencyKeys/<task_id:key>/reset", changes.reset_key, name="reset_key"),
    path("api/v1/errors", failures.index, name="errors"),
    path("api/v1/errors/<str:error_id>", failures.retrieve, name="error"),
    path("api/v1/errors/<str:error_id>/resolve", failures.resolve, name="error_resolve"),
    path("api/v1/errors/<str:error_id>/ignore", failures.ignore, name="error_ignore"),
    path("api/v1/errors/<str:error_id>/unresolve", failures.unresolve, name="error_unresolve"),
    path("api/v1/bulk-actions", bulkactions.collection, name="bulk_actions"),
    path("api/v1/bulk-actions/<str:action_id>", bulkactions.retrieve, name="bulk_action"),
    path("api/v1/bulk-actions/<str:action_id>/abort", bulkactions.abort, name="bulk_abort"),
    path("api/v1/purges", upkeep.purge, name="purge"),
    path("api/v1/pauses", upkeep.stop, name="pause_all"),
    path("api/v1/api-keys", apikeys.collection, name="api_keys"),
    path("api/v1/api-keys/<task_id:name>/revoke", apikeys.revoke, name="api_key_revoke"),
    path("api/v1/tasks", catalog.index, name="tasks"),
    path("api/v1/queues", queues.index, name="queues"),
    path("api/v1/queues/<task_id:name>/pause", queues.pause, name="queue_pause"),
    path(
        "api/v1/queues/<task_id:name>/concurrency/override",
        queues.override,
        name="queue_override",
    ),
    path("api/v1/queues/<task_id:name>/concurrency/reset", queues.reset, name="queue_reset"),
    path("api/v1/queues/<task_id:name>", queues.retrieve, name="queue"),
    path("api/v1/schedules", schedules.collection, name="schedules"),
    path("api/v1/schedules/<str:schedule_id>", schedules.one, name="schedule"),
    path("api/v1/schedules/<str:schedule_id>/activate", schedules.activate, name="activate"),
    path("api/v1/schedules/<str:schedule_id>/deactivate", schedules.deactivate, name="deactivate"),
    path("api/v1/timezones", schedules.timezones, name="timezones"),
    path("api/v1/projects/<str:project>/envvars/<str:slug>", envvars.collection, name="envvars"),
    path(
        "api/v1/projects/<str:project>/envvars/<str:slug>/import",
        envvars.imported,
        {"name": "import"},
        name="envvars_import",
    ),
    path("api/v1/projects/<str:project>/envvars/<str:slug>/<str:name>", envvars.one, name="envvar"),
    path("api/v1/waitpoints/tokens", tokens.collection, name="tokens"),
    path("api/v1/waitpoints/tokens/<str:token_id>", tokens.retrieve, name="token"),
    path("api/v1/waitpoints/tokens/<str:token_id>/fail", tokens.fail, name="token_fail"),
    path("api/v1/waitpoints/tokens/<str:token_id>/complete", tokens.complete, name="complete"),
    path(
        "api/v1/waitpoints/tokens/<str:token_id>/callback/<str:signature>",
        tokens.callback,
        name="callback",
    ),
    path("api/v1/auth/jwt/claims", grants.claims, name="claims"),
    path("api/v1/auth/public-tokens", grants.create, name="public_tokens"),
    path("webhooks/<task_id:path>", webhooks.receive, name="webhook"),
    path("api/v1/metrics", metrics.metrics, name="metrics"),
    path("api/v1/openapi.json", openapi, name="openapi"),
    re_path(r"^api/v\d+(?P<rest>/(?s:.*))$", unknown),
]
