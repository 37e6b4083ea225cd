"""What can go wrong between a service and Trackside.

TracksideError
├── ConnectionFailed          nobody answered, or too late
├── InvalidAnswer             something answered that is not Trackside
├── BatchNotSealed            not all items of a batch arrived
├── RunFailed                 the run that was waited for did not complete
├── StillRunning              it had not ended in time
└── ApiError                  Trackside refused: `status`, `message`
    ├── BadRequest            400
    ├── Unauthenticated       401
    ├── PermissionDenied      403
    ├── NotFound              404
    ├── Conflict              409
    ├── Unprocessable         422
    ├── RateLimited           429, `reset_at` says until when
    └── ServerError           5xx
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any


class TracksideError(Exception):
    """The base of all."""


class ConnectionFailed(TracksideError):
    """Nobody answered, or too late."""


class InvalidAnswer(TracksideError):
    """Something answered that is not Trackside, or a Trackside of another time."""


class BatchNotSealed(TracksideError):
    """Not all items of a batch arrived, however often they were sent."""

    def __init__(self, batch_id: str, arrived: int, expected: int) -> None:
        super().__init__(f"Of batch {batch_id} {arrived} of {expected} items arrived.")
        self.batch_id, self.arrived, self.expected = batch_id, arrived, expected


class RunFailed(TracksideError):
    """The run that was waited for did not complete."""

    def __init__(self, run: Any) -> None:
        reason = f": {run.error.message}" if run.error is not None else "."
        super().__init__(f"Run {run.id} of {run.task_identifier} ended as {run.status}{reason}")
        self.run = run


class StillRunning(TracksideError):
    """The run that was waited for had not ended in time."""

    def __init__(self, run: Any, seconds: float) -> None:
        super().__init__(f"Run {run.id} is still {run.status} after {seconds:g} s.")
        self.run = run


class ApiError(TracksideError):
    """Trackside refused a request."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str], body: Any) -> None:
        super().__init__(f"{message} ({status})")
        self.status, self.message, self.headers = status, message, dict(headers)
        #: The whole answer as JSON, or None.
        self.body = body

    @property
    def code(self) -> str:
        """A word for programs, where there is one."""
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""


class BadRequest(ApiError):
    """Something in the request is not understood."""


class Unauthenticated(ApiError):
    """No key, or one that is unknown, expired or revoked."""


class PermissionDenied(ApiError):
    """The key or token may not do this."""


class NotFound(ApiError):
    """There is no such thing."""


class Conflict(ApiError):
    """Its state does not allow this."""


class Unprocessable(ApiError):
    """A rule refuses it."""


class RateLimited(ApiError):
    """Too many requests."""

    @property
    def reset_at(self) -> datetime | None:
        """When there may be more again."""
        text = self.headers.get("x-ratelimit-reset", "")
        return datetime.fromtimestamp(int(text) / 1000).astimezone() if text.isdigit() else None


class ServerError(ApiError):
    """Trackside itself failed, or is not there."""


KINDS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthenticated,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    422: Unprocessable,
    429: RateLimited,
}


def refusal(status: int, headers: Mapping[str, str], body: Any, text: str) -> ApiError:
    """The error an answer is."""
    message = body.get("error") if isinstance(body, dict) else None
    if isinstance(message, dict):
        message = message.get("message")
    kind = ServerError if status >= 500 else KINDS.get(status, ApiError)
    return kind(status, str(message or text[:300] or f"Status {status}"), headers, body)
