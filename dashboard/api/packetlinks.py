"""Large payloads beside their triggers, and large values of runs: who may put and get them, and where."""

import re
from typing import Any

from django.http import HttpResponse

from dashboard import packetstore, sight
from dashboard.api import access, auth, bodies, cors, links, objects, packets, runs, telling
from dashboard.api.endpoint import ApiRequest, endpoint, methods
from dashboard.api.errors import ApiError
from dashboard.bodylimit import body_limit
from dashboard.openapi.operations import Media
from dashboard.packetstore import Packet
from runs import redaction
from runs.errors import NotFound
from runs.models import Role, Run

#: What clients call a packet; where it goes is ours to say.
NAME = re.compile(r"[\w.-]{1,200}(/[\w.-]{1,200}){0,9}", re.ASCII)
UNSIGNED = "The address is not signed, or no longer."
#: A value of a run, as its address names it.
VALUE = re.compile(r"(run_[0-9a-z]{1,26})/(payload|output)(/redacted)?", re.ASCII)


@endpoint("PUT", answers=telling.PlacedPacket, role=Role.TRIGGER, tasks=access.by_handler)
def place(request: ApiRequest, name: str) -> dict[str, Any]:
    """Where the next packet may be uploaded, and the path a trigger then names it by."""
    if NAME.fullmatch(name) is None or ".." in name.split("/"):
        raise ApiError(400, "A packet's name is words of letters, digits, “.”, “_” and “-”.")
    packetstore.tidy()
    path = packetstore.new_path()
    address = packetstore.upload_address(path, links.UPLOAD)
    return {
        "presignedUrl": address or links.signed(request, links.PUT, path),
        "storagePath": path,
    }


@endpoint("GET", public=access.read_all_runs, answers=telling.Address)
def of_path(request: ApiRequest, path: str) -> dict[str, Any]:
    """Where a packet can be downloaded."""
    if not packetstore.exists(path):
        raise ApiError(404, f"There is no packet “{path[:80]}”.", retry=False)
    address = packetstore.download_address(path, links.DOWNLOAD)
    return {"presignedUrl": address or links.signed(request, links.GET, path)}


@endpoint("GET", public=access.read_run, answers=telling.Address, tasks=access.task_of_run)
def of_run(request: ApiRequest, run_id: str, field: str) -> dict[str, Any]:
    """Where the payload or output of a run can be downloaded."""
    if field not in {"payload", "output"}:
        raise ApiError(404, "A run has a payload and an output.", retry=False)
    if sight.is_hidden():
        raise auth.forbidden(sight.HIDDEN_FROM_KEY)
    run = runs.found(run_id)
    if getattr(run, field) is None:
        raise ApiError(404, f"Run {run_id} has no {field}.", retry=False)
    return {"presignedUrl": objects.address(request, run, field)}


@endpoint(
    "PUT",
    keyed=False,
    body=Media("*/*"),
    answers={200: telling.KeptPacket, 403: UNSIGNED, 507: "There is no room for it."},
)
def _put(request: ApiRequest, path: str) -> dict[str, Any]:
    """Keep what comes, as a whole or not at all."""
    links.check(request, links.PUT, path)
    kind = request.content_type or ""
    charset = (request.content_params or {}).get("charset", "utf-8").lower()
    if kind not in packets.KINDS or charset not in {"utf-8", "utf8"}:
        raise ApiError(415, f"A packet is {', '.join(packets.KINDS)}, in UTF-8.")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise ApiError(415, "Send the packet without content-encoding.")
    raw = bodies.raw_body(request, body_limit())
    packetstore.save(path, Packet(kind, raw))
    return {"storagePath": path, "size": len(raw)}


@endpoint("GET", keyed=False, answers={200: Media("*/*"), 403: UNSIGNED})
def _get(request: ApiRequest, path: str) -> HttpResponse:
    """A packet, or a value of a run, as it is. Its address is signed, and needs no key."""
    links.check(request, links.GET, path)
    kind, body = _found(path)
    # clients compare it as a whole: no charset
    headers = {"content-type": kind, "content-disposition": "attachment"}
    answer = HttpResponse(body, headers=headers)
    # a browser that may read the run comes here by an address that stood in it
    cors.open_to(request, answer)
    return answer


content = methods(GET=_get, PUT=_put)


def _found(path: str) -> tuple[str, str | bytes]:
    """Content type and content. Raises a 404."""
    if named := VALUE.fullmatch(path):
        run_id, field, masked = named.groups()
        text = Run.objects.filter(pk=run_id).values_list(field, flat=True).first()
        if text is not None:
            if masked:
                text = redaction.rules().document(text, field)
            return "application/json", text
        raise NotFound(f"Run {run_id} has no {field}.")
    packet = packetstore.read(path, body_limit())
    return packet.kind, packet.content
