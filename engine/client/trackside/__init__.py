"""The client of Trackside for services that are no Django projects.

from trackside import Client

client = Client("https://runs.example.com", key="tr_...")
handle = client.tasks.trigger("send-email", {"to": "ann@example.com"})
run = client.runs.wait(handle.id)
"""

from trackside.calls.access import hashed
from trackside.calls.tasks import BatchItem, Debounce, Options
from trackside.client import AsyncClient, Client
from trackside.errors import (
    ApiError,
    BadRequest,
    BatchNotSealed,
    Conflict,
    ConnectionFailed,
    InvalidAnswer,
    NotFound,
    PermissionDenied,
    RateLimited,
    RunFailed,
    ServerError,
    StillRunning,
    TracksideError,
    Unauthenticated,
    Unprocessable,
)
from trackside.models import (
    Batch,
    BatchHandle,
    Chunk,
    Handle,
    LiveRun,
    NewToken,
    Queue,
    Result,
    Run,
    RunFacts,
    Schedule,
    Token,
)
from trackside.upkeepmodels import ApiKey, BulkAction, EnvVar, NewApiKey, Purged, TaskFacts

__all__ = [
    "ApiError",
    "ApiKey",
    "AsyncClient",
    "BadRequest",
    "Batch",
    "BatchHandle",
    "BatchItem",
    "BatchNotSealed",
    "BulkAction",
    "Chunk",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "Debounce",
    "EnvVar",
    "Handle",
    "InvalidAnswer",
    "LiveRun",
    "NewApiKey",
    "NewToken",
    "NotFound",
    "Options",
    "PermissionDenied",
    "Purged",
    "Queue",
    "RateLimited",
    "Result",
    "Run",
    "RunFacts",
    "RunFailed",
    "Schedule",
    "ServerError",
    "StillRunning",
    "TaskFacts",
    "Token",
    "TracksideError",
    "Unauthenticated",
    "Unprocessable",
    "hashed",
]
