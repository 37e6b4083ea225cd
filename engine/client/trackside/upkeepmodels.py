"""What Trackside answers to operators: tasks, keys, variables, many runs at once."""

from datetime import datetime
from typing import Any

from pydantic import Field

from trackside.models import Model


class TaskFacts(Model):
    """A task as the clusters registered it."""

    id: str
    queue: str
    max_attempts: int
    machine: str
    is_active: bool = True
    is_broken: bool = False
    paused: bool = False
    paused_at: datetime | None = None
    paused_by: str | None = None
    paused_reason: str | None = None
    description: str | None = None
    version: str | None = None
    payload_schema: dict[str, Any] | bool | None = None


class Purged(Model):
    """How many runs; with `is_more` there are others."""

    count: int
    is_more: bool = False


class ApiKey(Model):
    """A key without its text, of which `prefix` is the beginning."""

    name: str
    prefix: str
    role: str
    tasks: list[str] = []
    is_active: bool = True
    created_at: datetime
    created_by: str | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


class NewApiKey(ApiKey):
    """A key that was made; `key` is its text."""

    key: str = Field(repr=False)


class EnvVar(Model):
    name: str
    value: str = Field(repr=False)
    is_secret: bool = False


class BulkAction(Model):
    id: str
    name: str | None = None
    type: str
    status: str
    counts: dict[str, int] = {}
    created_at: datetime | None = None
    completed_at: datetime | None = None
