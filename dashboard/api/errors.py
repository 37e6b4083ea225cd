"""What went wrong, as the JSON the reference's clients read: `{"error": sentence}` and a status."""

import logging
import secrets

from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpResponse, JsonResponse, UnreadablePostError
from psycopg.errors import ReadOnlySqlTransaction

from dashboard.packetstore import StorageFailed, StorageFull
from runs.errors import (
    IllegalTransition,
    InvalidOption,
    InvalidPayload,
    NotFound,
    PayloadTooLarge,
    QueueFull,
    RunClosed,
    TokenUsed,
    UnknownQueue,
)
from runs.reads.deadline import TooSlow

logger = logging.getLogger(__name__)


class ApiError(Exception):
    """A refusal the API itself makes. `retry` tells clients whether trying again may help."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        retry: bool | None = None,
        headers: dict[str, str] | None = None,
        details: list[dict[str, str]] | None = None,
        beside: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.retry, self.details = status, retry, details
        self.headers, self.beside = headers or {}, beside or {}


#: The database did not answer, or broke off.
AWAY = (OperationalError, InterfaceError)
#: The first class that fits decides.
STATUSES: list[tuple[type[Exception], int]] = [
    (PayloadTooLarge, 413),
    (RequestDataTooBig, 413),
    (InvalidPayload, 400),
    (UnknownQueue, 422),
    (RunClosed, 422),
    (TokenUsed, 422),
    (QueueFull, 422),
    (InvalidOption, 400),
    (NotFound, 404),
    (IllegalTransition, 409),
    (UnreadablePostError, 400),
    (StorageFull, 507),
    (StorageFailed, 503),
]


def response(error: Exception) -> HttpResponse:
    """The answer to a request that ended in `error`; only our own faults are 5xx."""
    if isinstance(error, TooSlow):
        error = _too_slow(error)
    elif isinstance(error, AWAY) or _only_reads(error):
        logger.warning("The database did not answer an API request.", exc_info=error)
        error = ApiError(503, "The database is busy or cannot be reached; try again.")
    if isinstance(error, ApiError):
        return _answer(error)
    for kind, status in STATUSES:
        if isinstance(error, kind):
            retry = False if status == 404 else None
            return _answer(ApiError(status, str(error) or kind.__name__, retry=retry))
    return _fault(error)


def _only_reads(error: Exception) -> bool:
    """The server is a standby, or is told to be like one for a while."""
    return isinstance(error.__cause__, ReadOnlySqlTransaction)


def _answer(error: ApiError) -> HttpResponse:
    body: dict[str, object] = {"error": str(error), **error.beside}
    if error.details:
        body["details"] = error.details
    answer = JsonResponse(body, status=error.status)
    for name, value in error.headers.items():
        answer[name] = value
    if error.retry is not None:
        answer["x-should-retry"] = "true" if error.retry else "false"
    return answer


def _too_slow(error: TooSlow) -> ApiError:
    return ApiError(
        503,
        f"This list took longer than {error.seconds:g} s and was stopped. Narrow it: a shorter "
        "filter[createdAt] window, one task or one status.",
        retry=False,
    )


def _fault(error: Exception) -> HttpResponse:
    reference = secrets.token_hex(6)
    logger.error("API request failed (%s).", reference, exc_info=error)
    return _answer(ApiError(500, f"Internal error; the server's log has it under {reference}."))
