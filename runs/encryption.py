"""Secrets at rest: text encrypted under a key made from SECRET_KEY, with which alone it can be read.

After SECRET_KEY changed, texts of the former one are read while it stands in SECRET_KEY_FALLBACKS.
"""

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from runs.errors import Undecipherable

PURPOSE = b"trackside.encryption"


def encrypt(text: str) -> str:
    """`text`, unreadable without SECRET_KEY; twice the same text is not twice the same answer."""
    return _cipher(settings.SECRET_KEY, ()).encrypt(text.encode()).decode()


def decrypt(text: str) -> str:
    """What was encrypted. Raises Undecipherable where no key of ours opens it."""
    fallbacks = tuple(settings.SECRET_KEY_FALLBACKS)
    try:
        return (
            _cipher(settings.SECRET_KEY, fallbacks).decrypt(text.encode(errors="replace")).decode()
        )
    except InvalidToken:
        raise Undecipherable from None


def is_current(text: str) -> bool:
    """Whether `text` opens with SECRET_KEY as it is now, not only with a former one."""
    return _opens(settings.SECRET_KEY, text)


@lru_cache(256)
def _opens(key: str | bytes, text: str) -> bool:
    try:
        _cipher(key, ()).decrypt(text.encode(errors="replace"))
    except InvalidToken:
        return False
    return True


@lru_cache(8)
def _cipher(key: str | bytes, fallbacks: tuple[str | bytes, ...]) -> MultiFernet:
    return MultiFernet([Fernet(_derived(one)) for one in (key, *fallbacks)])


def _derived(key: str | bytes) -> bytes:
    """A key of its own for this purpose: knowing it does not help to forge a session."""
    whole = key.encode() if isinstance(key, str) else key
    made = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=PURPOSE).derive(whole)
    return base64.urlsafe_b64encode(made)
