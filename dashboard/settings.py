"""Settings of the ready project. Everything a deployment changes comes from its environment.

docs/configuration.md lists the variables.
"""

from pathlib import Path

from csp.constants import NONE, SELF

from dashboard.conf import database, environment, secret, storage

BASE_DIR = Path(__file__).resolve().parent.parent
#: A checkout keeps everything beside its manage.py; an installed package, where it is started.
HOME = BASE_DIR if (BASE_DIR / "manage.py").exists() else Path.cwd()
DATA_DIR = environment.writable(Path(environment.text("TRACKSIDE_DATA_DIR", str(HOME / "var"))))

KIND = environment.kind()
PROCESS = environment.text("TRACKSIDE_PROCESS")
DEBUG = False
SECRET_KEY = secret.key(DATA_DIR, strict=KIND != "dev")
SECRET_KEY_FALLBACKS = secret.former(strict=KIND != "dev")

# Who may reach it
HOST = environment.text("HOST", "127.0.0.1")
PORT = environment.integer("PORT", 8765, 1, 65535)
WORKERS = environment.integer("WORKERS", 2, 1, 1024)
ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS") or ["localhost", "127.0.0.1", "[::1]", HOST]
CSRF_TRUSTED_ORIGINS = environment.words("CSRF_TRUSTED_ORIGINS")
HTTPS = environment.yes("HTTPS", default=KIND == "prod")

# What it is made of
INSTALLED_APPS = [
    "dashboard",
    "engine",
    "runs",
    "django_q",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "csp",
]
MIDDLEWARE = [
    "dashboard.monitoring.requestids.request_ids",
    "dashboard.monitoring.probes.probes",
    "django.middleware.security.SecurityMiddleware",
    "dashboard.api.shortcut.shortcut",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "dashboard.accounts.visits.visits",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "dashboard.site"
ASGI_APPLICATION = "dashboard.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Where it keeps things
DATABASES = {
    "default": database.from_url(
        environment.text("DATABASE_URL", f"sqlite:///{DATA_DIR / 'trackside.sqlite3'}"),
        process=PROCESS,
    ),
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
# An installed package has these inside `dashboard`, where the app finders look.
STATICFILES_DIRS = [path for path in [BASE_DIR / "static"] if path.is_dir()]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    "packets": storage.from_url(environment.text("TRACKSIDE_STORAGE"), DATA_DIR / "packets"),
}

# People
AUTHENTICATION_BACKENDS = ["dashboard.accounts.backend.Backend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
CSRF_FAILURE_VIEW = "dashboard.pages.refusals.csrf_failure"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
SESSION_ENGINE = "dashboard.accounts.sessionstore"
SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
# A __Host- cookie cannot be planted by a neighbouring subdomain; browsers want it Secure.
SESSION_COOKIE_NAME = "__Host-trackside" if HTTPS else "trackside"
CSRF_COOKIE_NAME = "__Host-trackside-csrf" if HTTPS else "trackside-csrf"

# Mail, for alerts
EMAIL_HOST = environment.text("EMAIL_HOST")
EMAIL_PORT = environment.integer("EMAIL_PORT", 587, 1, 65535)
EMAIL_HOST_USER = environment.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = environment.text("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = environment.yes("EMAIL_USE_TLS", default=EMAIL_PORT == 587)
EMAIL_USE_SSL = environment.yes("EMAIL_USE_SSL", default=EMAIL_PORT == 465)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = environment.text("DEFAULT_FROM_EMAIL", "trackside@localhost")

# What the browser may do
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    },
}
SECURE_SSL_REDIRECT = HTTPS
# Who asks for these asks the process itself, not the proxy in front of it.
SECURE_REDIRECT_EXEMPT = [r"^(?:.*/)?(?:health/(?:live|ready)|api/v1/metrics)$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# A payload of the full size, form-encoded; views refuse an over-long one by its own limit.
DATA_UPLOAD_MAX_MEMORY_SIZE = 10_000_000

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
# One language: with several, Django asks for the reader's own at every number on a page.
USE_I18N = False

TERMINAL, LOG_FORMAT = environment.log_level(), environment.log_format()
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {
            "()": "runs.logformat.TextFormatter",
            "format": "{asctime} {levelname} {name}: {message}",
            "style": "{",
        },
        "json": {"()": "runs.logformat.JsonFormatter"},
    },
    # of the handler too: workers lower the root's level to hear what runs log
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "level": TERMINAL}
    },
    "root": {"handlers": ["console"], "level": TERMINAL},
}

Q_CLUSTER = {
    "name": "trackside",
    "orm": "default",
    "workers": WORKERS,
    "timeout": 60,
    "retry": 120,
    "save_limit": -1,
    "scheduler": False,
    "guard_cycle": 0.5,
    "log_level": "WARNING",
    "ALT_CLUSTERS": {},
}

TRACKSIDE = {
    "URL": environment.text("TRACKSIDE_URL", f"http://{HOST}:{PORT}"),
    "ENVIRONMENT": {
        "name": environment.text("TRACKSIDE_ENVIRONMENT_NAME", "Development"),
        "kind": KIND,
    },
    "TASK_DIRS": environment.task_dirs(HOME),
    "TASK_IGNORE": environment.parts("TRACKSIDE_TASK_IGNORE"),
    "WORKERS": WORKERS,
}
