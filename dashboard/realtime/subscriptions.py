"""What a subscriber asks for: its path, query and handle, read with care."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from urllib.parse import parse_qsl

from django.utils import timezone

from dashboard.api.errors import ApiError
from dashboard.realtime.feeds import EPOCH, Offset, moment
from runs import durations
from runs.errors import InvalidOption
from runs.reads.shapes import Shape

RUN_ID = re.compile(r"run_[0-9a-z]{1,26}", re.ASCII)
BATCH_ID = re.compile(r"batch_[0-9a-z]{1,34}", re.ASCII)
OFFSET = re.compile(r"([0-9]{1,15})_([0-9]{1,20})", re.ASCII)
HANDLE = re.compile(r"(runs|batch|tags)-([0-9]{1,15})-([0-9a-f]{16})", re.ASCII)
COLUMN = re.compile(r"[A-Za-z]{1,64}", re.ASCII)
#: How far back a subscription to tags goes, by default and at most.
WINDOW, WIDEST = timedelta(hours=24), timedelta(days=365)
SECOND = timedelta(seconds=1)
MOST_TAGS, LONGEST_TAG, MOST_COLUMNS, LONGEST_QUERY = 10, 128, 50, 8000


@dataclass(frozen=True, slots=True)
class Subscription:
    """One request of a subscriber. Without an offset it has nothing yet."""

    shape: Shape
    handle: str
    offset: Offset | None
    is_live: bool
    skipped: frozenset[str]


class MustRefetch(Exception):
    """The handle is of something else: the client starts again, with this one."""

    def __init__(self, handle: str) -> None:
        super().__init__(handle)
        self.handle = handle


def read(kind: str, named: str, query: bytes) -> Subscription:
    """The subscription to `runs`, one of them or a `batch`; raises a 400 or 404, or MustRefetch."""
    values = _values(query)
    offset = _offset(values.get("offset", ""))
    shape = _named(kind, named) if named else _tagged(values, offset)
    handle = _handle(shape)
    if offset is not None and values.get("handle") != handle:
        raise MustRefetch(handle)
    is_live = values.get("live", "") == "true"
    if is_live and offset is None:
        raise ApiError(400, "live=true needs the handle and the offset of an earlier answer.")
    return Subscription(shape, handle, offset, is_live, _skipped(values.get("skipColumns", "")))


def _values(query: bytes) -> dict[str, str]:
    if len(query) > LONGEST_QUERY:
        raise ApiError(400, f"The query is longer than {LONGEST_QUERY} characters.")
    try:
        return dict(parse_qsl(query.decode("ascii"), errors="strict", max_num_fields=50))
    except ValueError:
        raise ApiError(400, "The query cannot be read: percent-encode it as UTF-8.") from None


def _offset(text: str) -> Offset | None:
    if text == "-1":
        return None
    parts = OFFSET.fullmatch(text)
    if parts is None:
        raise ApiError(400, "offset must be -1 or the electric-offset of an earlier answer.")
    return Offset(int(parts[1]), int(parts[2]))


def _named(kind: str, named: str) -> Shape:
    form = RUN_ID if kind == "runs" else BATCH_ID
    if form.fullmatch(named) is None:
        raise ApiError(404, "Not found", retry=False)
    return Shape(run_id=named) if kind == "runs" else Shape(batch_id=named)


def _tagged(values: dict[str, str], offset: Offset | None) -> Shape:
    tags = tuple(sorted({tag for tag in values.get("tags", "").split(",") if tag}))
    if not 1 <= len(tags) <= MOST_TAGS or any(_is_no_tag(tag) for tag in tags):
        raise ApiError(
            400, f"tags must name 1 to {MOST_TAGS} tags of at most {LONGEST_TAG} characters."
        )
    begun = HANDLE.fullmatch(values.get("handle", "")) if offset is not None else None
    since = moment(int(begun[2])) if begun else _since(values.get("createdAt", ""))
    return Shape(tags=tags, since=since)


def _is_no_tag(tag: str) -> bool:
    return len(tag) > LONGEST_TAG or "\x00" in tag


def _since(text: str) -> datetime:
    """Where the window begins: a little earlier, so that many subscribers share one."""
    window = WINDOW
    if text:
        try:
            window = min(timedelta(seconds=durations.seconds(text, "createdAt")), WIDEST)
        except (InvalidOption, OverflowError):
            raise ApiError(400, "createdAt must be a duration, like 1h or 2d.") from None
    step = max(window // 20 // SECOND, 1) * SECOND
    return EPOCH + (timezone.now() - window - EPOCH) // step * step


def _handle(shape: Shape) -> str:
    kind = "runs" if shape.run_id else "batch" if shape.batch_id else "tags"
    since = (shape.since - EPOCH) // timedelta(milliseconds=1) if shape.since else 0
    named = "\n".join((shape.run_id, shape.batch_id, *shape.tags)).encode()
    return f"{kind}-{since}-{sha256(named).hexdigest()[:16]}"


def _skipped(text: str) -> frozenset[str]:
    names = [name for name in text.split(",") if name]
    if len(names) > MOST_COLUMNS or not all(map(COLUMN.fullmatch, names)):
        raise ApiError(400, "skipColumns must be names of columns, joined by commas.")
    return frozenset(names)
