"""Addresses that admit whoever has them, to one value, for a while: signed, no key needed."""

from urllib.parse import quote, urlencode, urlsplit

from django.core import signing
from django.http import HttpRequest

from dashboard.api.errors import ApiError
from runs import conf

#: Seconds one may upload, and download.
UPLOAD, DOWNLOAD = 3600, 300
PREFIX = "/api/packets/"
PUT, GET = "put", "get"
SECONDS = {PUT: UPLOAD, GET: DOWNLOAD}


def signed(request: HttpRequest, verb: str, path: str) -> str:
    """The address that lets its holder `verb` what is at `path`."""
    signature = _signer(verb).sign(path).removeprefix(f"{path}:")
    return f"{base(request)}{PREFIX}{quote(path)}?{urlencode({'signature': signature})}"


def check(request: HttpRequest, verb: str, path: str) -> None:
    """Raises a 403 for an address we did not make, or not for this, or too long ago."""
    signature = request.GET.get("signature", "")
    try:
        _signer(verb).unsign(f"{path}:{signature}", max_age=SECONDS[verb])
    except signing.SignatureExpired:
        raise ApiError(403, "This address has expired; ask for a new one.", retry=False) from None
    except (signing.BadSignature, ValueError):
        raise ApiError(403, "This address is not one of ours.", retry=False) from None


def base(request: HttpRequest) -> str:
    """Where the client reached us; by the scheme people use there, which a proxy may hide."""
    ours, host = urlsplit(str(conf.get("URL"))), request.get_host()
    scheme = ours.scheme if host == ours.netloc else request.scheme
    return f"{scheme}://{host}"


def _signer(verb: str) -> signing.TimestampSigner:
    return signing.TimestampSigner(salt=f"trackside.packets.{verb}")
