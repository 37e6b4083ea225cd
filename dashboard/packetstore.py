"""Payloads too large to be sent with a trigger: kept under a path of ours until a trigger names it.

They are files on this machine's disk, or objects in a store that clients reach by themselves
(`PACKET_STORAGE` names an entry of Django's STORAGES). A trigger copies what it names, and may be
repeated; after a day or two, whole days of packets are removed.
"""

import logging
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.utils import timezone

from dashboard.bodylimit import FULL
from runs import conf
from runs.errors import NotFound, PayloadTooLarge, RunsError
from runs.ids import new_id

logger = logging.getLogger(__name__)

#: A day, and the packet itself. Nothing else is ever looked for in the storage.
PATH = re.compile(r"[0-9]{8}/packet_[0-9a-z]{26}", re.ASCII)
DAY = re.compile(r"[0-9]{8}", re.ASCII)
#: Packets of a day before yesterday are removed.
KEPT = timedelta(days=1)
#: Seconds between two looks for old packets, and what one look may take.
REST, TURN = 3600.0, 0.25
LONGEST_KIND = 100


class StorageFailed(RunsError):
    """The storage cannot be reached, or refuses."""


class StorageFull(StorageFailed):
    """There is no room for another packet."""


class Packet(NamedTuple):
    """What was uploaded: its content type and its bytes."""

    kind: str
    content: bytes


class WholeFiles(FileSystemStorage):
    """Django's, whose files are there as a whole or not at all."""

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """The name itself: whoever uploads again replaces what was there."""
        return name

    def _save(self, name: str, content: "File[Any]") -> str:
        path = Path(self.path(name))
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=".", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as written:
                for chunk in content.chunks():
                    written.write(chunk)
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        return name


def new_path() -> str:
    """Where the next packet goes."""
    return f"{timezone.now():%Y%m%d}/{new_id('packet')}"


def upload_address(path: str, seconds: int) -> str | None:
    """Where a client puts a packet by itself; None where it does so through us."""
    return _presigned("put_object", path, seconds)


def download_address(path: str, seconds: int) -> str | None:
    """Where a client gets a packet by itself; None where it does so from us."""
    return _presigned("get_object", path, seconds)


def save(path: str, packet: Packet) -> None:
    """Keep a packet that came through us. Raises StorageFull, StorageFailed."""
    with _failing():
        _storage().save(path, ContentFile(packet.kind.encode() + b"\n" + packet.content))


def read(path: str, limit: int) -> Packet:
    """The packet at a path. Raises NotFound, PayloadTooLarge above `limit` bytes, StorageFailed."""
    if PATH.fullmatch(path) is None:
        raise _missing(path)
    with _failing():
        try:
            with _storage().open(path) as stored:
                return _packet(path, stored, limit)
        except FileNotFoundError:
            raise _missing(path) from None


def _packet(path: str, stored: Any, limit: int) -> Packet:
    if stored.size > limit + LONGEST_KIND:
        raise _too_large(path, limit)
    content: bytes = stored.read()
    # an object of a store has its content type beside it, a file of ours in its first line
    kind = getattr(getattr(stored, "obj", None), "content_type", None)
    if kind is None:
        line, _, content = content.partition(b"\n")
        kind = line.decode()
    if len(content) > limit:
        raise _too_large(path, limit)
    return Packet(kind, content)


def exists(path: str) -> bool:
    """Whether a packet is there. Raises StorageFailed."""
    with _failing():
        return PATH.fullmatch(path) is not None and bool(_storage().exists(path))


def tidy() -> int:
    """Remove packets of days long past, for a moment and once in a while; how many went."""
    global _rests_until
    if time.monotonic() < _rests_until:
        return 0
    _rests_until = time.monotonic() + REST
    try:
        return _remove_old(time.monotonic() + TURN)
    except Exception:  # a storage of any kind; uploads must not fail because of it
        logger.warning("Old packets could not be removed.", exc_info=True)
        return 0


_rests_until = 0.0


def _remove_old(until: float) -> int:
    global _rests_until
    storage, count = _storage(), 0
    oldest = f"{timezone.now() - KEPT:%Y%m%d}"
    try:
        days = storage.listdir("")[0]
    except FileNotFoundError:
        return 0
    for day in sorted(day for day in days if DAY.fullmatch(day) and day < oldest):
        for name in storage.listdir(day)[1]:
            storage.delete(f"{day}/{name}")
            count += 1
            if time.monotonic() > until:
                _rests_until = 0.0
                return count
        storage.delete(day)
    return count


def _storage() -> Storage:
    name = str(conf.get("PACKET_STORAGE"))
    if name in settings.STORAGES:
        return storages[name]
    home = getattr(settings, "DATA_DIR", None) or Path.cwd() / "var"
    return WholeFiles(location=str(Path(home) / "packets"))


def _presigned(operation: str, path: str, seconds: int) -> str | None:
    """Signed by the store's own client, without asking the store."""
    storage: Any = _storage()
    bucket = getattr(storage, "bucket", None)
    client = getattr(getattr(bucket, "meta", None), "client", None)
    if client is None:
        return None
    key = "/".join(part for part in (storage.location.strip("/"), path) if part)
    named = {"Bucket": storage.bucket_name, "Key": key}
    return str(client.generate_presigned_url(operation, Params=named, ExpiresIn=seconds))


@contextmanager
def _failing() -> Iterator[None]:
    """What storages raise, as one of ours."""
    try:
        yield
    except RunsError:
        raise
    except Exception as error:  # every kind of storage has errors of its own
        logger.warning("The storage of packets failed.", exc_info=error)
        if isinstance(error, OSError) and error.errno in FULL:
            raise StorageFull("There is no room for large payloads; try again later.") from error
        raise StorageFailed("The storage of large payloads does not answer; try again.") from error


def _too_large(path: str, limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The packet {path} has more than {limit:,} bytes.")


def _missing(path: str) -> NotFound:
    return NotFound(
        f"There is no packet “{path[:80]}”. Ask for a place by PUT /api/v2/packets/<name>, upload "
        "to its presignedUrl, then name its storagePath; a packet is kept for a day."
    )
