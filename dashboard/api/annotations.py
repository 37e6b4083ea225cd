"""Metadata and tags of a run, from outside (features.md ME-12, TA-2)."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from dashboard import sight
from dashboard.api import access, answers, bodies, runs, schemas, shapes
from dashboard.api.endpoint import ApiRequest, endpoint, methods
from dashboard.api.errors import ApiError
from dashboard.api.schemas import Body, Text
from runs import lifecycle, payloads
from runs.lifecycle.options import MAX_TAGS

#: Operations of one request.
MOST = 1000
Operations = Annotated[list[dict[str, Any]], Field(max_length=MOST)]


class Changes(Body):
    """With `operations` a `metadata` beside them is ignored, as the reference does."""

    metadata: dict[str, Any] | str | None = None
    operations: Operations | None = None
    parent_operations: Operations = []
    root_operations: Operations = []

    @property
    def own(self) -> list[dict[str, Any]]:
        if self.operations is not None or self.metadata is None:
            return self.operations or []
        whole = self.metadata
        value = payloads.loads(payloads.clean(whole)) if isinstance(whole, str) else whole
        return [{"type": "update", "value": value}]


class NewTags(Body):
    tags: Annotated[
        list[Text], BeforeValidator(schemas.listed, json_schema_input_type=str | list[str])
    ]


@endpoint("GET", answers=answers.Metadata, tasks=access.task_of_run)
def _read(request: ApiRequest, run_id: str) -> dict[str, Any]:
    """What the run's metadata is."""
    return {"metadata": _shown(payloads.loads(runs.found(run_id).metadata or "{}"))}


@endpoint("PUT", body=shapes.MetadataChanges, answers=answers.Metadata, tasks=access.task_of_run)
def _change(request: ApiRequest, run_id: str) -> dict[str, Any]:
    """Replace it, or apply operations to it, its parent's and its root's; what it is then."""
    body = bodies.values(request, required=True)
    body.pop("metadataType", None)
    asked = Changes.read(body)
    if asked.parent_operations or asked.root_operations:
        _require_relatives(request, run_id)
    changed = lifecycle.update_metadata(
        runs.found(run_id).pk,
        asked.own,
        parent=asked.parent_operations,
        root=asked.root_operations,
        actor=request.actor,
    )
    return {"metadata": _shown(changed)}


def _shown(metadata: Any) -> Any:
    return {} if sight.is_hidden() else sight.value(metadata, "metadata")


metadata = methods(GET=_read, PUT=_change)


def _require_relatives(request: ApiRequest, run_id: str) -> None:
    """A key of some tasks changes no run of another one by way of its child."""
    run = runs.found(run_id)
    named = [one for one in (run.parent_id, run.root_id) if one is not None]
    access.require_runs(request.caller, named)


@endpoint("POST", body=NewTags, answers=answers.Message, tasks=access.task_of_run)
def tags(request: ApiRequest, run_id: str) -> dict[str, Any]:
    """Add tags, all or none."""
    body = bodies.values(request, required=True)
    wanted, run = NewTags.read(body).tags, runs.found(run_id)
    if len({*run.tag_list, *wanted}) > MAX_TAGS:
        raise ApiError(
            422,
            f"A run has at most {MAX_TAGS} tags; it would have {len({*run.tag_list, *wanted})}.",
        )
    has = lifecycle.add_tags(run.pk, wanted, actor=request.actor)
    return {"message": f"The run has {len(has)} tags: {', '.join(has)}."}
