"""Settings: one dict `TRACKSIDE` in the Django settings, every key optional.

All but lists may also come from the environment as `TRACKSIDE_<NAME>`, dicts as JSON, which wins.
"""

import json
import os
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed

#: Members of documents that are masked unless REDACT states others.
REDACTED_KEYS = (
    "*password*", "passwd", "passphrase", "*secret*", "*api_key*", "*private_key*", "access_key",
    "access_token", "refresh_token", "auth_token", "authorization", "cookie", "set_cookie",
    "card_number", "cvc", "cvv",
)  # fmt: skip
DEFAULTS: dict[str, Any] = {
    # bytes
    "PAYLOAD_LIMIT": 3_000_000,
    "OUTPUT_LIMIT": 10_000_000,
    "METADATA_LIMIT": 262_144,
    # bytes of all items of a batch that come in one request: a thousand below 128 KiB each, escaped
    "BATCH_LIMIT": 200_000_000,
    # entry of Django's STORAGES for payloads clients send beside a trigger
    "PACKET_STORAGE": "packets",
    # seconds the items of a batch may take to come, all requests together
    "BATCH_SEAL_SECONDS": 1800.0,
    # requests of one API key, and of all its public tokens, as "1500/10s"; "off" for no limit
    "API_RATE_LIMIT": "10000/10s",
    # seconds after which somebody who asked for no page must log in again; 0 for never
    "SESSION_IDLE_SECONDS": 28_800.0,
    # directories with task files, beside every app's tasks.py
    "TASK_DIRS": ["tasks"],
    # patterns of files in them that hold no tasks, as in "scripts/*"
    "TASK_IGNORE": [],
    # version of the task code; empty means git commit, else a hash of the files
    "VERSION": "",
    # a run whose version nobody runs any more waits for it, instead of going on with the current one
    "STRICT_VERSIONS": False,
    "ENVIRONMENT": {"name": "Development", "kind": "dev"},
    # the project that clients of the API name in addresses; empty answers to every name
    "PROJECT": "",
    # where people and other services reach the web server, for the addresses of wait tokens
    "URL": "http://localhost:8000",
    # default machine preset of a task that names none
    "MACHINE": "small-1x",
    # presets that are other than the table says: {"small-1x": {"cpu": 1, "memory": 2}}
    "MACHINES": {},
    # defaults of tasks that state none: retry as in @task, seconds (0 is none)
    "RETRY": {},
    "MAX_DURATION": 0.0,
    "TTL": 0.0,
    # whether failed runs are tried again where ENVIRONMENT's kind is "dev"
    "RETRY_IN_DEV": True,
    # worker processes of one cluster
    "WORKERS": 2,
    # vCPUs and gigabytes that the machines of one cluster's runs have together; 0 for the rule of the docs
    "CAPACITY_CPU": 0.0,
    "CAPACITY_MEMORY": 0.0,
    # runs of `async def` tasks one more process of each cluster executes at once; 0 for none
    "ASYNC_SLOTS": 50,
    # seconds a stopping cluster lets runs finish before it hands them back
    "DRAIN_SECONDS": 30.0,
    # seconds a canceled body may clean up before its process is killed
    "CANCEL_GRACE_SECONDS": 30.0,
    # the same after max_duration
    "TIMEOUT_GRACE_SECONDS": 5.0,
    # a session renews this often, may be reaped this long after its last renewal
    "HEARTBEAT_SECONDS": 15.0,
    "LEASE_SECONDS": 60.0,
    # seconds the final hooks of one run may take in a worker that did not execute it
    "FINAL_HOOKS_SECONDS": 60.0,
    # housekeeping period
    "SWEEP_SECONDS": 5.0,
    # an idle dispatcher looks for work this often even if nobody woke it
    "POLL_SECONDS": 1.0,
    # where clusters LISTEN if the database is behind a pooler of transactions: its own URL
    "LISTEN_URL": "",
    # runs one worker process executes before it is replaced
    "RECYCLE_RUNS": 10_000,
    # slot inheritance: runs and milliseconds before other buckets get their turn
    "INHERIT_RUNS": 50,
    "INHERIT_MILLISECONDS": 100.0,
    # short runs of one queue a worker takes at once and records together; 1 for none
    "TOGETHER_RUNS": 32,
    # a run whose cluster was lost this often is CRASHED (poison pill)
    "CRASH_LIMIT": 3,
    # seconds a body stays in its process while its run waits and nothing else is to be done there
    "STAY_SECONDS": 30.0,
    # runs that may stand queued in one queue; 0 is without end
    "QUEUE_SIZE_LIMIT": 0,
    # a schedule's fire that comes later than this counts as missed
    "SCHEDULE_GRACE_SECONDS": 60.0,
    # what `logger` writes: debug, info, warn, error or none, and all above it
    "LOG_LEVEL": "debug",
    # whether prints of a body are log lines of its run; else they go where the cluster's output goes
    "CAPTURE_CONSOLE": True,
    # whether the log lines of runs are written to the cluster's output too
    "CONSOLE_LOGGING": False,
    # days what is stored is kept; 0 is for ever
    "RUN_RETENTION_DAYS": 0.0,
    # other days for runs that ended so: {"COMPLETED": 7, "FAILED": 90}
    "STATUS_RETENTION_DAYS": {},
    "LOG_RETENTION_DAYS": 90.0,
    "TICK_RETENTION_DAYS": 30.0,
    # what Metrics shows by the hour and the day
    "ROLLUP_RETENTION_DAYS": 730.0,
    # tasks, and queues, that have numbers of their own at /api/v1/metrics; the later ones share theirs
    "METRICS_NAMES": 200,
    # a bearer token that reads /api/v1/metrics and nothing else; empty: API keys alone do
    "METRICS_TOKEN": "",
    # log lines kept of one attempt; the rest is counted
    "LOG_LINES_PER_ATTEMPT": 10_000,
    # bytes of one chunk of a stream, of one stream, and of all streams of a run
    "STREAM_CHUNK_LIMIT": 1_048_576,
    "STREAM_LIMIT": 100_000_000,
    "RUN_STREAMS_LIMIT": 300_000_000,
    # requests under realtime/ one web process holds at a time; more are told to come back
    "REALTIME_SUBSCRIBERS": 2000,
    # networks that alerts reach although they are not public, as ["10.0.0.0/8"]
    "ALERT_NETWORKS": [],
    # what is masked where it would be read: "keys" are members, as in "user.email", and "text" regular
    # expressions; keys are REDACTED_KEYS where none are stated
    "REDACT": {},
    # spans kept of one segment of an attempt; the rest is counted
    "SPANS_PER_ATTEMPT": 10_000,
}


YES_NO = {"1": True, "true": True, "yes": True, "on": True}
YES_NO |= {"0": False, "false": False, "no": False, "off": False}
_known: dict[str, Any] = {}


def get(name: str) -> Any:
    """The setting `name`: environment, then `settings.TRACKSIDE`, then the default.

    Read once in each process: runs ask for several.
    """
    try:
        return _known[name]
    except KeyError:
        value = _known[name] = _read(name)
        return value


def _read(name: str) -> Any:
    default = DEFAULTS[name]
    value = getattr(settings, "TRACKSIDE", {}).get(name, default)
    text = os.environ.get(f"TRACKSIDE_{name}")
    if text and isinstance(default, bool):
        return YES_NO.get(text.lower(), text)
    if text and isinstance(default, dict):
        return document(text)
    if text and isinstance(default, (int, float)):
        return number(text, type(default))
    return text if text and isinstance(default, str) else value


def number(text: str, kind: type[int] | type[float]) -> int | float | str:
    """What the text says; itself where that is no number, for the check that names it."""
    try:
        return kind(text)
    except ValueError:
        return text


def is_retrying() -> bool:
    """Whether failed runs are tried again: not in a development environment that switched it off."""
    return bool(get("RETRY_IN_DEV")) or get("ENVIRONMENT")["kind"] != "dev"


def document(text: str) -> Any:
    """What the text says as JSON; itself where it is none, for the check that names it."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def forget(**_: Any) -> None:
    """Read everything anew; for tests, which change settings."""
    _known.clear()


setting_changed.connect(forget, dispatch_uid="trackside-conf")
