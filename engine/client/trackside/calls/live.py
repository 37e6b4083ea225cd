"""Follow runs as they change: long polling, in the protocol the server speaks to browsers."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from trackside import packets
from trackside.calls.common import Duration, at, spoken
from trackside.models import LiveRun, shaped
from trackside.steps import Answer, Call, Item, Items, Pause, Request

#: The server holds a request for about 20 s.
HELD = 60.0
#: Seconds after an answer without news, so that no fault makes a storm of requests.
BREATH = 0.1
#: The server has forgotten where we were.
ANEW = frozenset({409})
#: The words of the server's rows for a status.
STATUSES = {
    "PENDING": "QUEUED",
    "RETRYING_AFTER_FAILURE": "EXECUTING",
    "WAITING_TO_RESUME": "WAITING",
    "COMPLETED_SUCCESSFULLY": "COMPLETED",
    "COMPLETED_WITH_ERRORS": "FAILED",
}
NAMES = {
    "friendlyId": "id",
    "runTags": "tags",
    "completedAt": "finishedAt",
    "usageDurationMs": "durationMs",
    "delayUntil": "delayedUntil",
}
MOMENTS = {"createdAt", "updatedAt", "startedAt", "completedAt", "expiredAt", "delayUntil"}
DOCUMENTS = {"payload", "output", "metadata"}
Words = str | Sequence[str]


def run(run_id: str, *, skip: Words = ()) -> Items[LiveRun]:
    """A run as it is and whenever it changes, until it has ended.

    `skip` names columns that are not sent, like payload and output.
    """
    return _followed(at("/realtime/v1/runs/{}", run_id), _skipping(skip), until_ended=True)


def batch(batch_id: str, *, skip: Words = ()) -> Items[LiveRun]:
    """The runs of a batch as they are and whenever one changes; ends with `break` alone."""
    return _followed(at("/realtime/v1/batches/{}", batch_id), _skipping(skip))


def tagged(
    tags: Words, *, since: Duration | datetime | None = None, skip: Words = ()
) -> Items[LiveRun]:
    """Runs that have all these tags, new ones too; ends with `break` alone."""
    query = {"tags": _joined(tags), **_skipping(skip)}
    if since is not None:
        query["createdAt"] = str(spoken(since))
    return _followed("/realtime/v1/runs", query)


def _followed(path: str, query: Mapping[str, str], *, until_ended: bool = False) -> Items[LiveRun]:
    place: dict[str, str] = {"offset": "-1"}
    rows: dict[str, dict[str, Any]] = {}
    while True:
        answer: Answer = yield Request(
            "GET", path, {"log": "full", **query, **place}, timeout=HELD, accepts=ANEW
        )
        messages = answer.json()
        if _starts_anew(messages):
            place, rows = {"offset": "-1"}, {}
            yield Pause(BREATH)
            continue
        for row in _merged(messages, rows):
            found = shaped((yield from fetched(told(row))), LiveRun)
            yield Item(found)
            if until_ended and found.is_final:
                return
        place = _place(answer, place)
        if len(messages) <= 1:
            yield Pause(BREATH)


def _merged(
    messages: Sequence[Mapping[str, Any]], rows: dict[str, dict[str, Any]]
) -> Iterable[dict[str, Any]]:
    """The rows that are news, whole: an update may carry only what has changed."""
    changed: dict[str, dict[str, Any]] = {}
    for message in messages:
        if "value" in message:
            key = message["key"]
            changed[key] = rows[key] = {**rows.get(key, {}), **message["value"]}
    return changed.values()


def _starts_anew(messages: Sequence[Mapping[str, Any]]) -> bool:
    return any(one.get("headers", {}).get("control") == "must-refetch" for one in messages)


def _place(answer: Answer, before: Mapping[str, str]) -> dict[str, str]:
    """What the next request asks from."""
    headers = answer.headers
    return {
        "live": "true",
        "handle": headers.get("electric-handle", before.get("handle", "")),
        "offset": headers.get("electric-offset", before.get("offset", "")),
        "cursor": headers.get("electric-cursor", ""),
    }


def told(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the server's table as the API tells a run."""
    found = {NAMES.get(name, name): value for name, value in row.items() if name != "id"}
    found["status"] = STATUSES.get(found["status"], found["status"])
    for name in MOMENTS & row.keys():
        if isinstance(row[name], str):
            # the rows' times are UTC and do not say so
            found[NAMES.get(name, name)] = row[name].removesuffix("Z") + "Z"
    for name in DOCUMENTS & row.keys():
        found[name] = _opened(row[name], str(row.get(f"{name}Type")))
    return {name: value for name, value in found.items() if value is not None}


def fetched(run: dict[str, Any]) -> Call[dict[str, Any]]:
    """The run with what is not in its row but in a store."""
    for name in DOCUMENTS & run.keys():
        if run.get(f"{name}Type") == packets.STORED and isinstance(run[name], str):
            answer = yield Request("GET", at("/api/v1/packets/{}", run[name]))
            run[name] = yield from packets.downloaded(answer.json()["presignedUrl"])
    return run


def _opened(text: Any, kind: str) -> Any:
    if not isinstance(text, str) or kind in {"text/plain", packets.STORED}:
        return text
    return packets.opened(json.loads(text), kind)


def _skipping(skip: Words) -> dict[str, str]:
    return {"skipColumns": _joined(skip)} if skip else {}


def _joined(words: Words) -> str:
    return words if isinstance(words, str) else ",".join(words)
