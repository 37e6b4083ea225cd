"""TRACKSIDE_STORAGE as an entry of Django's STORAGES."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

FORM = "s3://bucket/prefix?endpoint_url=https://host&region_name=name"
#: Of django-storages; keys come from the environment, as boto3 reads them.
KNOWN = {"endpoint_url", "region_name", "addressing_style"}


def from_url(url: str, directory: Path) -> dict[str, Any]:
    """Where large payloads are kept until a trigger names them: a bucket, or files in `directory`."""
    if not url:
        return files(directory)
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.scheme != "s3" or not parts.netloc or "@" in parts.netloc or given.keys() - KNOWN:
        raise ImproperlyConfigured(
            f"TRACKSIDE_STORAGE must look like {FORM}; keys belong into AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY."
        )
    if find_spec("storages") is None or find_spec("boto3") is None:
        raise ImproperlyConfigured(
            'TRACKSIDE_STORAGE names a bucket, which needs: pip install "trackside[s3]"'
        )
    options = {
        "bucket_name": parts.netloc,
        "location": unquote(parts.path).strip("/"),
        "client_config": _client(given.pop("addressing_style", "auto")),
        **given,
    }
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}


def files(directory: Path) -> dict[str, Any]:
    """Files on this machine's disk."""
    return {
        "BACKEND": "dashboard.packetstore.WholeFiles",
        "OPTIONS": {"location": str(directory)},
    }


def _client(addressing_style: str) -> Any:
    """A request of a client waits for it: no longer than a person would."""
    config: Any = import_module("botocore.config")
    return config.Config(
        # the only signature every store of this kind understands
        signature_version="s3v4",
        s3={"addressing_style": addressing_style},
        connect_timeout=5,
        read_timeout=20,
        retries={"total_max_attempts": 2},
    )
