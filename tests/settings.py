"""The product's settings, cheap and isolated. The database comes from the `--database` option."""

from pathlib import Path

from dashboard.settings import *  # noqa: F403
from dashboard.settings import DATA_DIR, DATABASES, TRACKSIDE

ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = True
TRACKSIDE = {**TRACKSIDE, "TASK_DIRS": [str(Path(__file__).parent / "support" / "tasks")]}

# Of a file, not in memory: the gate and other processes need one.
DATABASES["default"].setdefault("TEST", {})
if DATABASES["default"]["ENGINE"] == "runs.sqlite":
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
