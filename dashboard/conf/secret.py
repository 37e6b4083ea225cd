"""The secret key: from SECRET_KEY, else one made at the first start and kept in a private file."""

import os
import re
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

from dashboard.conf import environment

#: Django's own measure of the length (check security.W009); what is random has more letters than it asks for.
_SHORTEST, _FEWEST_DISTINCT = 50, 10
#: What stands in examples, to be replaced.
SAMPLE = re.compile(
    "insecure|change[-_ ]?(me|this)|replace|example|your[-_ ]|secret[-_ ]?key", re.I
)
HOW = "make one with: python -c 'import secrets; print(secrets.token_urlsafe(50))'"


def key(directory: Path, *, strict: bool) -> str:
    """The key of this deployment. With `strict` it must be given, and be strong."""
    given = environment.text("SECRET_KEY")
    if strict:
        return _strong(given, "SECRET_KEY")
    return given or _kept(directory / "secret.key")


def former(*, strict: bool = False) -> list[str]:
    """Keys this deployment had before, from SECRET_KEY_FALLBACKS: one or several, with commas."""
    given = environment.words("SECRET_KEY_FALLBACKS")
    return [_strong(one, "SECRET_KEY_FALLBACKS") for one in given] if strict else given


def is_weak(given: str) -> bool:
    """Whether it can be guessed, or stands in an example."""
    return (
        len(given) < _SHORTEST or len(set(given)) < _FEWEST_DISTINCT or bool(SAMPLE.search(given))
    )


def _strong(given: str, name: str) -> str:
    if is_weak(given):
        raise ImproperlyConfigured(
            f"{name} must be set to at least {_SHORTEST} random characters outside development; {HOW}"
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
