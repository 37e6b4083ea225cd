"""The secret key: from SECRET_KEY, else one made at the first start and kept in a private file."""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

from dashboard.conf import environment

#: Django's own measure (check security.W009).
_SHORTEST, _FEWEST_DISTINCT, _SAMPLE_PREFIX = 50, 5, "django-insecure-"


def key(directory: Path, *, strict: bool) -> str:
    """The key of this deployment. With `strict` it must be given, and be strong."""
    given = environment.text("SECRET_KEY")
    if strict:
        return _strong(given)
    return given or _kept(directory / "secret.key")


def former() -> list[str]:
    """Keys this deployment had before, from SECRET_KEY_FALLBACKS: one or several, with commas."""
    return environment.words("SECRET_KEY_FALLBACKS")


def _strong(given: str) -> str:
    weak = len(given) < _SHORTEST or len(set(given)) < _FEWEST_DISTINCT
    if weak or given.startswith(_SAMPLE_PREFIX):
        raise ImproperlyConfigured(
            f"SECRET_KEY must be set to at least {_SHORTEST} random characters in production; "
            "make one with: python -c 'import secrets; print(secrets.token_urlsafe(50))'"
        )
    return given


def _kept(path: Path) -> str:
    if not path.exists():
        _create(path)
    if found := path.read_text().strip():
        return found
    raise ImproperlyConfigured(f"The secret key file {path} is empty; delete it to get a new key.")


def _create(path: Path) -> None:
    """Write a new key whole or not at all: two processes may start at once, the first one wins."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(get_random_secret_key())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
