import pytest

from runs.encryption import decrypt, encrypt
from runs.errors import Undecipherable

TEXT = "s3cret \u00fcber \U0001f511"


def test_reads_what_it_wrote():
    assert decrypt(encrypt(TEXT)) == TEXT
    assert decrypt(encrypt("")) == ""


def test_shows_nothing_of_the_text():
    stored = encrypt("hunter2" * 10)
    assert "hunter2" not in stored
    assert stored != encrypt("hunter2" * 10)


def test_reads_what_a_former_key_wrote(settings):
    old = settings.SECRET_KEY
    stored = encrypt(TEXT)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another" * 9, ["third" * 9, old]
    assert decrypt(stored) == TEXT
    renewed = encrypt(TEXT)
    settings.SECRET_KEY_FALLBACKS = []
    assert decrypt(renewed) == TEXT
    with pytest.raises(Undecipherable):
        decrypt(stored)


@pytest.mark.parametrize("damaged", ["", "x", "gAAAAA", "\u00fc", "\ud800"])
def test_refuses_what_it_did_not_write(damaged):
    with pytest.raises(Undecipherable, match="SECRET_KEY_FALLBACKS"):
        decrypt(damaged)


def test_refuses_a_changed_letter():
    stored = encrypt(TEXT)
    middle = len(stored) // 2
    changed = stored[:middle] + ("A" if stored[middle] != "A" else "B") + stored[middle + 1 :]
    with pytest.raises(Undecipherable):
        decrypt(changed)
